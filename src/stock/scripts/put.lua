-- put.lua -- Writes what was decided under the lock, if the lock is still ours and nothing changed since the stock was read.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] issues:{p} stream, [4] issues:{p}:unpersisted string, [5] …:lock string
-- ARGV    coupon id, token of the lock, most unpersisted users, name of this server; as they were read: epoch, version, next;
--         the winners in order with commas between them; version of an entry of them; number of the endpoint
-- Reply   { 'written', now } or { 'changed' } or { 'lost' } or { 'overloaded' }
-- Cost    O(users)

--- include ./included/usable-state.lua
--- include ../../stream/scripts/included/accept.lua
-- After a pause longer than the lease, another process may hold the lock.
if redis.call('GET', KEYS[5]) ~= ARGV[2] then return { 'lost' } end
-- `take.lua` issues without the lock, an opening raises the epoch, an edit the version: each makes the decision void. So does
-- a restart of Redis, after which the state must be compared with MySQL first.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'version', 'next', 'run', 'start', 'end', 'until', 'gap', 'ahead')
if state[1] ~= ARGV[5] or state[2] ~= ARGV[6] or state[3] ~= ARGV[7] then return { 'changed' } end
if not issuedIn(state[4], state[3], state[8], ARGV[4]) or not isServer(ARGV[4]) then return { 'changed' } end
-- The period may have ended between the read and now.
local now = nowMs(state[9])
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

return accept(ARGV[9], ARGV[1], state[1], first, next, now, owners, ARGV[8], ARGV[10]) or { 'written', now }
