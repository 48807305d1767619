-- mark-key.lua -- Notes under an idempotency key how its request ended, and remembers that for the whole time from now on.
--
-- KEYS    [1] idempotency:<digest of the caller> hash
-- ARGV    field of the key, what it must be noted as ('' for anything), how it is noted from now on, seconds to remember
-- Reply   { 'noted' } or { 'kept' }
-- Cost    O(1)

local due = tonumber(redis.call('TIME')[1]) + tonumber(ARGV[4])
local noted = redis.call('HGET', KEYS[1], ARGV[1])
if ARGV[2] ~= '' and (not noted or noted:match('^%d+ (.*)$') ~= ARGV[2]) then return { 'kept' } end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', due, ARGV[3]))
redis.call('EXPIRE', KEYS[1], ARGV[4])
return { 'noted' }
