-- replay.lua -- Puts a dead letter back into the stream, in one step, so that it is never in both or in neither.
--
-- It also ends the lease of an opening of the coupon under way. That one reads the stream before the dead letters: an entry that
-- moves the other way in between, perhaps to be buried once more, would be in neither when it looks. This release reads on in that
-- case; an opener of the one before does not.
--
-- KEYS    [1] issues:{p} stream, [2] issues:{p}:unpersisted string, [3] issues:{p}:dead stream, [4] coupon:{p}:<id>:opening string,
--         [5] issues:{p}:withdrawn sorted set
-- ARGV    id of the dead letter, number of its users, then the fields and values of the entry
-- Reply   { 'replayed', id in the stream } or { 'gone' } when there is no such dead letter
-- Cost    O(users)

--- include included/withdraw.lua

local letter = redis.call('XRANGE', KEYS[3], ARGV[1], ARGV[1])[1]
if not letter then return { 'gone' } end
-- A mark of a letter that stays harms nobody.
withdraw(KEYS[5], letter[2])
-- All or nothing, whatever is refused: an id that cannot be shows whether the last step would be, and the others are undone.
redis.call('XDEL', KEYS[3], '0-1')
redis.call('DEL', KEYS[4])
redis.call('INCRBY', KEYS[2], ARGV[2])
local id = redis.pcall('XADD', KEYS[1], '*', unpack(ARGV, 3))
if type(id) == 'table' then
  redis.call('INCRBY', KEYS[2], -ARGV[2])
  return id
end
redis.call('XDEL', KEYS[3], ARGV[1])
return { 'replayed', id }
