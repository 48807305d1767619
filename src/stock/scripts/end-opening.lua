-- end-opening.lua -- Abandons an opening: ends the lease, if it is ours, and drops what was gathered.
--
-- KEYS    [1] coupon:{p}:<id>:opening string, [2] …:owners:<token> hash
-- ARGV    token of the opener
-- Reply   { 'ended' }
-- Cost    O(1); what was gathered is freed in the background

if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('UNLINK', KEYS[2])
return { 'ended' }
