-- begin-opening.lua -- Takes the lease for opening a coupon, unless it is open. While the lease lasts nobody else can open.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] …:opening string
-- ARGV    name of this server, token of the opener, lease in ms
-- Reply   { 'open' }, { 'busy' }, { 'begun' } for a coupon without usable state, or { 'unproven', epoch, version, next, owners }
--         for one that this server has from before its start: whole in itself, but perhaps older than what MySQL knows
-- Cost    O(1)

local state = redis.call('HMGET', KEYS[1], 'run', 'next', 'gap', 'epoch', 'version')
local owners = redis.call('HLEN', KEYS[2])
local whole = state[1] and owners == state[2] - 1 - state[3]
if whole and state[1] == ARGV[1] then return { 'open' } end
if not redis.call('SET', KEYS[3], ARGV[2], 'NX', 'PX', ARGV[3]) then return { 'busy' } end
if whole then return { 'unproven', state[4], state[5], state[2], owners } end
return { 'begun' }
