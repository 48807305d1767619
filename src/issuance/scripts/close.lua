-- close.lua -- Frees what Redis holds of a coupon that is over, unless it was opened anew meanwhile.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash
-- ARGV    epoch under which the coupon was found to be over
-- Reply   { 'closed' } or { 'changed' } when there is a state of another epoch
-- Cost    O(1); the owners are freed in the background

local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and epoch ~= ARGV[1] then return { 'changed' } end
redis.call('UNLINK', KEYS[1], KEYS[2])
return { 'closed' }
