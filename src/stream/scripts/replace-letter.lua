-- replace-letter.lua -- Puts a dead letter with other users in the place of one: the same in all but who they are.
--
-- KEYS    [1] issues:{p}:dead stream
-- ARGV    id of the dead letter, then the fields and values of the new one
-- Reply   { 'replaced' } or { 'gone' } when there is no such dead letter
-- Cost    O(users)

if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return { 'gone' } end
-- An id that cannot be shows whether the last step would be refused.
redis.call('XDEL', KEYS[1], '0-1')
redis.call('XADD', KEYS[1], '*', unpack(ARGV, 2))
redis.call('XDEL', KEYS[1], ARGV[1])
return { 'replaced' }
