-- hold.lua -- Stops the stock of a coupon that MySQL does not have; one of which nothing was ever issued is removed.
--
-- What was issued from it may have been promised before MySQL went back, so it stays, and is taken for sold out. That makes a decision of
-- before void, and is repaired, as any total that is too low, should the row of the coupon come back. Epoch and version stay as they
-- are: after a restart of Redis, a state of another version than the row's would be rebuilt without what MySQL lost.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] …:opening string, [4] …:offers hash, [5] …:lost string
-- ARGV    none
-- Reply   { 'removed' }; { 'held' }, also when it was held before; { 'gone' } without a state, or with one of a later release
-- Cost    O(1)

--- include ./included/usable-state.lua
local next = tonumber(redis.call('HGET', KEYS[1], 'next'))
if not next or not isKnownForm() then return { 'gone' } end
if next == 1 and redis.call('HLEN', KEYS[2]) == 0 then
  redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
  return { 'removed' }
end
redis.call('HSET', KEYS[1], 'until', next - 1)
return { 'held' }
