-- lower-total.lua -- Takes the last sequence of a coupon down to a lower total, unless more were issued already.
--
-- The version stays: it names what MySQL has committed, and MySQL has not yet. If it never does, the copy gives out less than
-- it could until it is repaired, and never more.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash
-- ARGV    name of this server, version as MySQL has it, the new total
-- Reply   { 'lowered' } or { 'issued', how many were issued } or { 'other version' } or { 'not open' }
-- Cost    O(1)

local SEQUENCE_MAX = 9007199254740991 -- the largest whole number that JSON, JavaScript and Lua all hold exactly

local state = redis.call('HMGET', KEYS[1], 'run', 'next', 'gap', 'until', 'version')
if state[1] ~= ARGV[1] then return { 'not open' } end
local gap = tonumber(state[3])
local issued = state[2] - 1 - gap
if redis.call('HLEN', KEYS[2]) ~= issued then return { 'not open' } end
if state[5] ~= ARGV[2] then return { 'other version' } end
local total = tonumber(ARGV[3])
if total < issued then return { 'issued', issued } end

-- Sequences in the gap belong to nobody, and as many are added at the end, as far as numbers go.
local last, before = math.min(gap + total, SEQUENCE_MAX), tonumber(state[4])
if before < 0 or last < before then redis.call('HSET', KEYS[1], 'until', last) end
return { 'lowered' }
