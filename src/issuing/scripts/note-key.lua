-- note-key.lua -- Notes which request an idempotency key of a caller stands for, unless it is noted already.
--
-- KEYS    [1] idempotency:<digest of the caller> hash: for each key, when it is forgotten and what it stands for
-- ARGV    field of the key, the request, seconds to remember it, keys a caller may have; 0 only looks
-- Reply   { 'known', request }, { 'new' }, { 'unknown' } when it only looked, or { 'full' }
-- Cost    O(1); O(keys of the caller) when they are as many as they may be

local now = tonumber(redis.call('TIME')[1])

local function isDue(noted)
  return tonumber(noted:match('^%d+')) <= now
end

local noted = redis.call('HGET', KEYS[1], ARGV[1])
if noted and not isDue(noted) then return { 'known', noted:match('^%d+ (.*)$') } end
local most = tonumber(ARGV[4])
if most == 0 then return { 'unknown' } end
if redis.call('HLEN', KEYS[1]) >= most then
  local all = redis.call('HGETALL', KEYS[1])
  for at = 1, #all, 2 do
    if isDue(all[at + 1]) then redis.call('HDEL', KEYS[1], all[at]) end
  end
  if redis.call('HLEN', KEYS[1]) >= most then return { 'full' } end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', now + tonumber(ARGV[3]), ARGV[2]))
redis.call('EXPIRE', KEYS[1], ARGV[3])
return { 'new' }
