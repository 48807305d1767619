-- offer.lua -- Offers issues that another server answered to the next opening of their coupon.
--
-- KEYS    [1] coupon:{p}:<id>:offers hash: user and sequence → time of acceptance (0: not known, -1: discarded) and of the answer
-- ARGV    how long the offers are kept in ms, then fields and values in turn
-- Reply   { 'offered' }
-- Cost    O(issues)

for i = 2, #ARGV, 2 do
  local accepted, answered = string.match(ARGV[i + 1], '^(%d+) (%d+)$')
  local known = redis.call('HGET', KEYS[1], ARGV[i])
  local before, at = string.match(known or '', '^(-?%d+) (%d+)$')
  -- An answer from before the discard does not count. A process that only repeated one does not know when it was accepted.
  if not known or tonumber(answered) > tonumber(at) then
    if accepted == '0' and before and before ~= '-1' then accepted = before end
    redis.call('HSET', KEYS[1], ARGV[i], accepted .. ' ' .. answered)
  elseif before == '0' then
    redis.call('HSET', KEYS[1], ARGV[i], accepted .. ' ' .. at)
  end
end
-- Not sooner than what was discarded may be forgotten.
redis.call('PEXPIRE', KEYS[1], ARGV[1], 'NX')
redis.call('PEXPIRE', KEYS[1], ARGV[1], 'GT')
return { 'offered' }
