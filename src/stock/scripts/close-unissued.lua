-- close-unissued.lua -- Takes the stock of a coupon that nobody has out of Redis, so that nothing can be issued from it.
--
-- It also ends the lease of whoever is opening the coupon: what that one has gathered can then not be swapped in.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] …:opening string
-- ARGV    name of this server
-- Reply   { 'closed' } or { 'issued', how many were issued } or { 'not open' }
-- Cost    O(1)

local state = redis.call('HMGET', KEYS[1], 'run', 'next', 'gap')
if state[1] ~= ARGV[1] then return { 'not open' } end
local owners = redis.call('HLEN', KEYS[2])
if owners ~= state[2] - 1 - state[3] then return { 'not open' } end
if owners > 0 then return { 'issued', owners } end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
return { 'closed' }
