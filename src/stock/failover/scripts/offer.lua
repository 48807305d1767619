-- offer.lua -- Offers issues that another server answered to the next opening of their coupon.
--
-- KEYS    [1] coupon:{p}:<id>:offers hash
-- ARGV    how long the offers are kept in ms, then in turn user, and sequence with the time of acceptance behind a space
-- Reply   { 'offered' }
-- Cost    O(users)

for i = 2, #ARGV, 2 do
  -- A process that only repeated a sequence does not know when it was accepted.
  if string.match(ARGV[i + 1], ' 0$') then
    redis.call('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1])
  else
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return { 'offered' }
