-- apply-edit.lua -- Brings the copy of a coupon's rules to a version that MySQL has committed, if it is newer.
--
-- Strictly newer: a command that was held up on its way must not undo what a later edit did, nor what one is just doing.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash
-- ARGV    name of this server, version, total or -1, start, end, paused
-- Reply   { 'applied' } or { 'not open' }; { 'same' } when the copy says this already; { 'different', its version } when it is
--         of this version and says something else, or is newer
-- Cost    O(1)

local SEQUENCE_MAX = 9007199254740991 -- the largest whole number that JSON, JavaScript and Lua all hold exactly

local state = redis.call('HMGET', KEYS[1], 'run', 'next', 'gap', 'version', 'until', 'start', 'end', 'paused')
if state[1] ~= ARGV[1] then return { 'not open' } end
local gap = tonumber(state[3])
local issued = state[2] - 1 - gap
if redis.call('HLEN', KEYS[2]) ~= issued then return { 'not open' } end

local version, total = tonumber(state[4]), tonumber(ARGV[3])
-- Sequences in the gap belong to nobody, and as many are added at the end, as far as numbers go.
local last = total < 0 and -1 or math.min(gap + math.max(total, issued), SEQUENCE_MAX)
local same = tonumber(state[5]) == last and state[6] == ARGV[4] and state[7] == ARGV[5] and state[8] == ARGV[6]
if version == tonumber(ARGV[2]) and same then return { 'same' } end
if version >= tonumber(ARGV[2]) then return { 'different', version } end
redis.call('HSET', KEYS[1], 'until', last, 'start', ARGV[4], 'end', ARGV[5], 'paused', ARGV[6], 'version', ARGV[2])
return { 'applied' }
