-- finish-opening.lua -- Swaps in what an opener gathered, if its lease still holds. Does nothing if another opening was first.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] …:opening string, [4] …:owners:<token> hash
-- ARGV    token of the opener, owners gathered, then the fields and values of the new state
-- Reply   { 'opened' }, { 'superseded' } when the lease is not ours or a later release left a state meanwhile, { 'incomplete' }
--         when Redis lost what was gathered
-- Cost    O(1), and the freeing of what was there before

--- include ./included/usable-state.lua
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return { 'superseded' } end
if not isKnownForm() then return { 'superseded' } end
if redis.call('HLEN', KEYS[4]) ~= tonumber(ARGV[2]) then return { 'incomplete' } end

redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
if tonumber(ARGV[2]) > 0 then
  redis.call('RENAME', KEYS[4], KEYS[2])
  redis.call('PERSIST', KEYS[2])
end
redis.call('HSET', KEYS[1], unpack(ARGV, 3))
return { 'opened' }
