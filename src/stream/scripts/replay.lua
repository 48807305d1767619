-- replay.lua -- Puts a dead letter back into the stream, in one step, so that it is never in both or in neither.
--
-- KEYS    [1] issues:{p} stream, [2] issues:{p}:unpersisted string, [3] issues:{p}:dead stream
-- ARGV    id of the dead letter, number of its users, then the fields and values of the entry
-- Reply   { 'replayed', id in the stream } or { 'gone' } when there is no such dead letter
-- Cost    O(users)

if redis.call('XDEL', KEYS[3], ARGV[1]) == 0 then return { 'gone' } end
redis.call('INCRBY', KEYS[2], ARGV[2])
return { 'replayed', redis.call('XADD', KEYS[1], '*', unpack(ARGV, 3)) }
