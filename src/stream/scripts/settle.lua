-- settle.lua -- Ends entries of the stream whose rows are committed, or that can never be rows: acknowledged, deleted, counted.
--
-- One script, so that no crash leaves an entry acknowledged but not deleted, or buried but not acknowledged.
--
-- KEYS    [1] issues:{p} stream, [2] issues:{p}:unpersisted string; with dead letters also [3] issues:{p}:dead stream
-- ARGV    group; how many entries, then id and number of users of each; then for each dead letter the id of its entry, the
--         reason, how many fields and values, and these
-- Reply   { 'settled', entries deleted, users still unpersisted }
-- Cost    O(entries + dead letters)

local group, entries = ARGV[1], tonumber(ARGV[2])
-- All or nothing, whatever is refused: each command once with nothing to do, before the first that does something. A letter would
-- else be buried again with every try, or an entry acknowledged that is never deleted.
redis.call('XACK', KEYS[1], group, '0-1')
redis.call('XDEL', KEYS[1], '0-1')
local counted = redis.call('DECRBY', KEYS[2], 0)
local length = redis.call('XLEN', KEYS[1])
local at = 3 + 2 * entries
while at <= #ARGV do
  local from, last = at + 3, at + 2 + tonumber(ARGV[at + 2])
  -- An entry that is gone was settled before, and its dead letters were written then.
  if #redis.call('XRANGE', KEYS[1], ARGV[at], ARGV[at]) == 1 then
    redis.call('XADD', KEYS[3], '*', 'entry', ARGV[at], 'reason', ARGV[at + 1], unpack(ARGV, from, last))
  end
  at = last + 1
end

local deleted, users = 0, 0
for i = 3, 2 + 2 * entries, 2 do
  redis.call('XACK', KEYS[1], group, ARGV[i])
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    deleted = deleted + 1
    users = users + tonumber(ARGV[i + 1])
  end
end
-- An empty stream holds no user: whatever was miscounted, by an operator's hand or a lost key, ends here. The key stays: while a slot
-- of a cluster moves, every script with a key that is not there has to wait for the end of the move.
if length == deleted then
  redis.call('DECRBY', KEYS[2], counted)
  return { 'settled', deleted, 0 }
end
return { 'settled', deleted, redis.call('DECRBY', KEYS[2], users) }
