-- put.lua -- Writes what was decided under the lock, if the lock is still ours and nothing changed since the stock was read.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] issues:{p} stream, [4] issues:{p}:unpersisted string, [5] …:lock string
-- ARGV    coupon id, token of the lock, most unpersisted users, name of this server; as they were read: epoch, version, next;
--         the winners in order with commas between them
-- Reply   { 'written', now } or { 'changed' } or { 'lost' } or { 'overloaded' }
-- Cost    O(users)

-- A pause longer than the lease: somebody else may hold the lock now.
if redis.call('GET', KEYS[5]) ~= ARGV[2] then return { 'lost' } end
-- `take.lua` issues without the lock, an opening raises the epoch, an edit the version: each makes the decision void. So does
-- a restart: MySQL may know more by now than this state, which is to be compared with it first.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'version', 'next', 'run', 'start', 'end', 'until')
if state[1] ~= ARGV[5] or state[2] ~= ARGV[6] or state[3] ~= ARGV[7] or state[4] ~= ARGV[4] then return { 'changed' } end
-- Promoted behind a standing connection, perhaps with data of before, a server has another replication id than the caller knows.
local replication = 'master_replid:' .. string.match(ARGV[4], '%w+$')
if not string.find(redis.call('INFO', 'replication'), replication, 1, true) then return { 'changed' } end
-- The checkPeriod may have closed between the reading and now.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if now < tonumber(state[5]) or now >= tonumber(state[6]) then return { 'changed' } end

local owners, first = {}, tonumber(ARGV[7])
local next = first
for user in string.gmatch(ARGV[8], '[^,]+') do
  owners[#owners + 1] = user
  owners[#owners + 1] = next
  next = next + 1
end
local users = next - first
-- A total that is being lowered takes `until` down before it raises the version.
local last = tonumber(state[7])
if last >= 0 and next - 1 > last then return { 'changed' } end
if tonumber(redis.call('GET', KEYS[4]) or 0) + users > tonumber(ARGV[3]) then return { 'overloaded' } end

redis.call('HSET', KEYS[2], unpack(owners))
redis.call('HSET', KEYS[1], 'next', next)
redis.call('INCRBY', KEYS[4], users)
redis.call('XADD', KEYS[3], '*', 'v', 1, 'c', ARGV[1], 'e', state[1], 's', first, 't', now, 'u', ARGV[8])
return { 'written', now }
