-- erase-owner.lua -- Gives what an erased user has of a coupon to a pseudonym, and tells issuers by which key pseudonyms are made.
--
-- One script: with the pseudonym but without the key, the user would get the coupon again.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] …:offers hash
-- ARGV    user, pseudonym, key of the pseudonyms, then the fields of what is offered of the user
-- Reply   { 'erased' }, or { 'absent' } when the user was no owner
-- Cost    O(fields)

--- include ./included/usable-state.lua
-- All or nothing, whatever is refused: the command that comes last, with nothing to do.
redis.call('HDEL', KEYS[2], '')
if isKnownForm() and redis.call('HGET', KEYS[1], 'run') then
  redis.call('HSET', KEYS[1], 'form', ERASED_FORM, 'erased', ARGV[3])
end
for i = 4, #ARGV do redis.call('HDEL', KEYS[3], ARGV[i]) end
local sequence = redis.call('HGET', KEYS[2], ARGV[1])
if not sequence then return { 'absent' } end
redis.call('HSET', KEYS[2], ARGV[2], sequence)
redis.call('HDEL', KEYS[2], ARGV[1])
return { 'erased' }
