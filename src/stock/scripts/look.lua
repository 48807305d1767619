-- look.lua -- Reads the stock of a coupon and the sequences of some users, at one instant.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash
-- ARGV    name of this server, the users with commas between them, possibly none; where users were erased also the key of their
--         pseudonyms, and the pseudonyms of the users
-- Reply   { 'not open' }, { 'erased', the key } where other pseudonyms are needed, or { 'open', now, epoch, version, next, until, start, end, paused,
--         how many were issued, then for each user who is among them: which one, counted from 1, below zero for one who was erased, and the sequence }
-- Cost    O(users)

--- include ./included/usable-state.lua
local names = { 'run', 'gap', 'epoch', 'version', 'next', 'until', 'start', 'end', 'paused', 'ahead', 'erased' }
local state = redis.call('HMGET', KEYS[1], unpack(names))
local issued = issuedIn(state[1], state[5], state[2], ARGV[1])
if not issued or not isServer(ARGV[1]) then return { 'not open' } end

local reply = { 'open', nowMs(state[10]), state[3], state[4], state[5], state[6], state[7], state[8], state[9], issued }
local asked = {}
for user in string.gmatch(ARGV[2], '[^,]+') do asked[#asked + 1] = user end
if #asked == 0 then return reply end
if state[11] and state[11] ~= ARGV[3] then return { 'erased', state[11] } end
local owned, erased = redis.call('HMGET', KEYS[2], unpack(asked)), erasedAmong(state[11], ARGV[4])
for i = 1, #asked do
  if owned[i] or erased[i] then
    reply[#reply + 1] = owned[i] and i or -i
    reply[#reply + 1] = owned[i] or erased[i]
  end
end
return reply
