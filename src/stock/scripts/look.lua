-- look.lua -- Reads the stock of a coupon and the sequences of some users, at one instant.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash
-- ARGV    name of this server, the users with commas between them, possibly none
-- Reply   { 'not open' } or { 'open', now, epoch, version, next, until, start, end, paused,
--         owners, then for each user who is among them: which one, counted from 1, and the sequence }
-- Cost    O(users)

local state = redis.call('HMGET', KEYS[1], 'run', 'gap', 'epoch', 'version', 'next', 'until', 'start', 'end', 'paused')
if state[1] ~= ARGV[1] then return { 'not open' } end
-- Promoted behind a standing connection, perhaps with data of before, a server has another replication id than the caller knows.
local replication = 'master_replid:' .. string.match(ARGV[1], '%w+$')
if not string.find(redis.call('INFO', 'replication'), replication, 1, true) then return { 'not open' } end
local owners = redis.call('HLEN', KEYS[2])
if owners ~= state[5] - 1 - state[2] then return { 'not open' } end

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local reply = { 'open', now, state[3], state[4], state[5], state[6], state[7], state[8], state[9], owners }
local asked = {}
for user in string.gmatch(ARGV[2], '[^,]+') do asked[#asked + 1] = user end
if #asked == 0 then return reply end
local owned = redis.call('HMGET', KEYS[2], unpack(asked))
for i = 1, #asked do
  if owned[i] then
    reply[#reply + 1] = i
    reply[#reply + 1] = owned[i]
  end
end
return reply
