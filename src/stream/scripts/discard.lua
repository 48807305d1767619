-- discard.lua -- Deletes a dead letter for good, and with it the state that counts its users as owners.
--
-- One script: after a crash between the two, the users would be owners of nothing forever, and their pieces never sold again.
--
-- Processes may still remember its issues, and would offer them after a failover: others may have their sequences by then.
--
-- KEYS    [1] issues:{p}:dead stream, [2] issues:{p}:withdrawn sorted set; of a letter that names a coupon also
--         [3] coupon:{p}:<id>:state hash, [4] …:opening string, [5] …:offers hash, see offer.lua
-- ARGV    id of the dead letter, how long processes may remember in ms, then the fields of its issues in the offers
-- Reply   { 'discarded' } or { 'gone' } when there is no such dead letter
-- Cost    O(users)

--- include included/withdraw.lua

local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not letter then return { 'gone' } end
-- A mark of a letter that stays harms nobody.
withdraw(KEYS[2], letter[2])
if #ARGV > 2 then
  -- By the clock of the coupon, as the answers are.
  local clock, ahead = redis.call('TIME'), redis.call('HGET', KEYS[3], 'ahead')
  local now = clock[1] * 1000 + math.floor(clock[2] / 1000) + (tonumber(ahead) or 0)
  local discarded = string.format('-1 %.0f', now)
  for i = 3, #ARGV do redis.call('HSET', KEYS[5], ARGV[i], discarded) end
  redis.call('PEXPIRE', KEYS[5], ARGV[2])
end
-- The state first: it is rebuilt with the letter's users if the letter may not be deleted.
if #KEYS > 2 then redis.call('UNLINK', KEYS[3], KEYS[4]) end
redis.call('XDEL', KEYS[1], ARGV[1])
return { 'discarded' }
