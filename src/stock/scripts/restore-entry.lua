-- restore-entry.lua -- Puts issues that Redis knows, and that are neither rows nor entries nor dead letters, back into the stream.
--
-- Only under the state in which they were found: one that was rebuilt since knows what it counts. Where it is not known any more when
-- they were accepted, the nearest instant to now at which the coupon was issued stands for it.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] issues:{p} stream, [4] issues:{p}:unpersisted string
-- ARGV    coupon id, name of this server, epoch, first sequence, the users in order with commas between them,
--         version of an entry of them, when they were accepted or 0
-- Reply   { 'restored' } or { 'changed' }
-- Cost    O(users)

--- include ./included/usable-state.lua
local state = redis.call('HMGET', KEYS[1], 'run', 'next', 'gap', 'epoch', 'start', 'end', 'ahead')
if not issuedIn(state[1], state[2], state[3], ARGV[2]) or state[4] ~= ARGV[3] then return { 'changed' } end
local sequence = tonumber(ARGV[4])
for user in string.gmatch(ARGV[5], '[^,]+') do
  if tonumber(redis.call('HGET', KEYS[2], user)) ~= sequence then return { 'changed' } end
  sequence = sequence + 1
end

local known = tonumber(ARGV[7])
local accepted = math.max(tonumber(state[5]), math.min(known > 0 and known or nowMs(state[7]), tonumber(state[6]) - 1))
local users = sequence - tonumber(ARGV[4])
redis.call('INCRBY', KEYS[4], users)
local id = redis.pcall('XADD', KEYS[3], '*', 'v', ARGV[6], 'c', ARGV[1], 'e', ARGV[3], 's', ARGV[4], 't', accepted, 'u', ARGV[5])
if type(id) == 'table' and id.err then
  redis.call('INCRBY', KEYS[4], -users)
  return id
end
return { 'restored' }
