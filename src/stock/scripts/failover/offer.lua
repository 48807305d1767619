-- offer.lua -- Offers issues that another server answered to the next opening of their coupon.
--
-- KEYS    [1] coupon:{p}:<id>:offers hash
-- ARGV    how long the offers are kept in ms, then user and sequence in turn, at least one
-- Reply   { 'offered' }
-- Cost    O(users)

local CHUNK = 2000 -- `unpack` puts its values on a stack of 8,000

for i = 2, #ARGV, CHUNK do
  redis.call('HSET', KEYS[1], unpack(ARGV, i, math.min(i + CHUNK - 1, #ARGV)))
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return { 'offered' }
