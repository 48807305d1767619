-- load-owners.lua -- Adds a page of owners to those being gathered for an opening, and renews its lease.
--
-- KEYS    [1] coupon:{p}:<id>:opening string, [2] …:owners:<token> hash
-- ARGV    token of the opener, lease in ms, then user and sequence in turn; a later page overrides an earlier one
-- Reply   { 'loaded', owners gathered } or { 'superseded' } when the lease is not ours any more
-- Cost    O(owners in the page)

local HEAD = 2 -- arguments before the first user
local CHUNK = 2000 -- `unpack` puts its values on a stack of 8,000

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'superseded' } end
-- Before the owners: an opener that dies, or is refused one of the commands, leaves nothing behind for long.
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for i = HEAD + 1, #ARGV, CHUNK do
  redis.call('HSET', KEYS[2], unpack(ARGV, i, math.min(i + CHUNK - 1, #ARGV)))
end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return { 'loaded', redis.call('HLEN', KEYS[2]) }
