-- begin-opening.lua -- Takes the lease for opening a coupon, unless it is open. While the lease lasts no other process can open it.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] …:opening string
-- ARGV    name of this server, token of the opener, lease in ms
-- Reply   { 'open' }, { 'busy' }, { 'begun' } for a coupon without usable state, or { 'unproven', epoch, version, next, owners }
--         for one from before the start of this server: complete, but perhaps older than what MySQL has; { 'unknown form' } for
--         one of a later release
-- Cost    O(1)

--- include ./included/usable-state.lua
if not isKnownForm() then return { 'unknown form' } end
local state = redis.call('HMGET', KEYS[1], 'run', 'next', 'gap', 'epoch', 'version')
local issued = state[1] and issuedIn(state[1], state[2], state[3], state[1])
if issued and state[1] == ARGV[1] then return { 'open' } end
if not redis.call('SET', KEYS[3], ARGV[2], 'NX', 'PX', ARGV[3]) then return { 'busy' } end
if issued then return { 'unproven', state[4], state[5], state[2], issued } end
return { 'begun' }
