-- lose-key.lua -- Notes that the first request under an idempotency key did not win, unless another under the same key did.
--
-- KEYS    [1] idempotency:<digest> string
-- ARGV    the request as it was noted when the key was first seen, how it is noted from now on
-- Reply   { 'noted' } or { 'kept' }
-- Cost    O(1)

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'kept' } end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return { 'noted' }
