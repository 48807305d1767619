-- apply-edit.lua -- Brings the settings of a coupon in Redis to a version that MySQL has committed, if it is newer.
--
-- Strictly newer: a delayed command must not undo a later edit, nor one under way.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash
-- ARGV    name of this server, version, total or -1, start, end, paused
-- Reply   { 'applied' } or { 'not open' }; { 'same' } when Redis has these settings already; { 'different', its version } when it
--         has others under this version, or a newer version
-- Cost    O(1)

--- include ./included/usable-state.lua
local state = redis.call('HMGET', KEYS[1], 'run', 'next', 'gap', 'version', 'until', 'start', 'end', 'paused')
local issued = issuedIn(state[1], state[2], state[3], ARGV[1])
if not issued then return { 'not open' } end

local version, total = tonumber(state[4]), tonumber(ARGV[3])
local last = total < 0 and -1 or lastSequence(state[3], math.max(total, issued))
local same = tonumber(state[5]) == last and state[6] == ARGV[4] and state[7] == ARGV[5] and state[8] == ARGV[6]
if version == tonumber(ARGV[2]) and same then return { 'same' } end
if version >= tonumber(ARGV[2]) then return { 'different', version } end
redis.call('HSET', KEYS[1], 'until', last, 'start', ARGV[4], 'end', ARGV[5], 'paused', ARGV[6], 'version', ARGV[2])
return { 'applied' }
