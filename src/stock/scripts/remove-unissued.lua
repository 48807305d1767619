-- remove-unissued.lua -- Removes the stock of a coupon without owners from Redis, so that nothing can be issued from it.
--
-- It also ends the lease of an opening under way, whose owners then cannot be swapped in.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] …:opening string
-- ARGV    name of this server
-- Reply   { 'removed' } or { 'issued', how many were issued } or { 'not open' }
-- Cost    O(1)

--- include ./included/usable-state.lua
local state = redis.call('HMGET', KEYS[1], 'run', 'next', 'gap')
local issued = issuedIn(state[1], state[2], state[3], ARGV[1])
if not issued then return { 'not open' } end
if issued > 0 then return { 'issued', issued } end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
return { 'removed' }
