-- take.lua -- Takes stock for a batch of users: all checks come before the first write, because Lua does not roll back.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] issues:{p} stream, [4] issues:{p}:unpersisted string
-- ARGV    coupon id, name of this server, most unpersisted users, the users in order of arrival with commas between them,
--         version of an entry of them, number of the endpoint; where users were erased also the key of their pseudonyms, and the
--         pseudonyms of the users
-- Reply   { verdict } or { 'all issued', now, epoch, first sequence } or { 'decided', now, epoch, one number per user }; { 'erased', key }
--         where the pseudonyms by this key are needed; see take in decision-scripts.ts, its only reader
-- Cost    O(users)

--- include ./included/usable-state.lua
--- include ../../stream/scripts/included/accept.lua
local HEAD = 3 -- parts of the reply before the first number

local state = redis.call('HMGET', KEYS[1], 'run', 'next', 'until', 'gap', 'start', 'end', 'paused', 'epoch', 'ahead', 'erased')
if not issuedIn(state[1], state[2], state[4], ARGV[2]) then return { 'not open' } end
if not isServer(ARGV[2]) then return { 'not open' } end
local now = nowMs(state[9])
if state[7] == '1' then return { 'paused' } end
if now < tonumber(state[5]) then return { 'not started' } end
if now >= tonumber(state[6]) then return { 'ended' } end
if state[10] and state[10] ~= ARGV[7] then return { 'erased', state[10] } end

local first, last = tonumber(state[2]), tonumber(state[3])
local asked = {}
for user in string.gmatch(ARGV[4], '[^,]+') do asked[#asked + 1] = user end
local owned, erased = redis.call('HMGET', KEYS[2], unpack(asked)), erasedAmong(state[10], ARGV[8])
local epoch = tonumber(state[8])
local reply, users, owners, seen = { 'decided', now, epoch }, {}, {}, {}
local next = first
for i, user in ipairs(asked) do
  local sequence = tonumber(owned[i] or erased[i]) or seen[user]
  if sequence then
    reply[HEAD + i] = -sequence
  elseif last >= 0 and next > last then
    reply[HEAD + i] = 0
  else
    users[#users + 1] = user
    owners[#owners + 1] = user
    owners[#owners + 1] = next
    seen[user] = next
    reply[HEAD + i] = next
    next = next + 1
  end
end
if next == first then return reply end
if tonumber(redis.call('GET', KEYS[4]) or 0) + #users > tonumber(ARGV[3]) then return { 'overloaded' } end

local refused = accept(ARGV[5], ARGV[1], epoch, first, next, now, owners, table.concat(users, ','), ARGV[6])
if refused then return refused end
if #users == #asked then return { 'all issued', now, epoch, first } end
return reply
