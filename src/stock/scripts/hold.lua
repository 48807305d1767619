-- hold.lua -- Stops the stock of a coupon that MySQL does not have; one of which nothing was ever issued is removed.
--
-- What was issued from it may have been promised before MySQL went back, so it stays. It is paused under a version of its own: what was
-- decided before is void, and the settings are repaired should the row of the coupon come back.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] …:opening string, [4] …:offers hash, [5] …:lost string
-- ARGV    none
-- Reply   { 'removed' }; { 'held' }, also when it was held before; { 'gone' } without a state, or with one of a later release
-- Cost    O(1)

--- include ./included/usable-state.lua
if redis.call('EXISTS', KEYS[1]) == 0 or not isKnownForm() then return { 'gone' } end
local state = redis.call('HMGET', KEYS[1], 'next', 'version', 'paused')
if state[1] == '1' and redis.call('HLEN', KEYS[2]) == 0 then
  redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
  return { 'removed' }
end
if state[3] ~= '1' then
  redis.call('HSET', KEYS[1], 'paused', 1, 'version', string.format('%.0f', (tonumber(state[2]) or 0) + 1))
end
return { 'held' }
