-- prove-state.lua -- Lets a state go on under a new server, after it was compared with MySQL. Ends the lease.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:opening string
-- ARGV    token of the opener, name of this server, how far MySQL's clock is ahead of its; where users were erased also the key of
--         their pseudonyms
-- Reply   { 'opened' } or { 'superseded' } when the lease is not ours any more
-- Cost    O(1)

--- include ./included/usable-state.lua
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return { 'superseded' } end
redis.call('HSET', KEYS[1], 'run', ARGV[2], 'ahead', ARGV[3])
if ARGV[4] then redis.call('HSET', KEYS[1], 'form', ERASED_FORM, 'erased', ARGV[4]) end
redis.call('DEL', KEYS[2])
return { 'opened' }
