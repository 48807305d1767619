-- lower-total.lua -- Lowers the last sequence of a coupon to a lower total, unless more were issued already.
--
-- The version stays, since MySQL has not committed the edit yet. If it never does, Redis gives out less than it could until
-- it is repaired, and never more.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash
-- ARGV    name of this server, version as MySQL has it, the new total
-- Reply   { 'lowered' } or { 'issued', how many were issued } or { 'other version' } or { 'not open' }
-- Cost    O(1)

--- include ./included/usable-state.lua
local state = redis.call('HMGET', KEYS[1], 'run', 'next', 'gap', 'until', 'version')
local issued = issuedIn(state[1], state[2], state[3], ARGV[1])
if not issued then return { 'not open' } end
if state[5] ~= ARGV[2] then return { 'other version' } end
local total = tonumber(ARGV[3])
if total < issued then return { 'issued', issued } end

local last, before = lastSequence(state[3], total), tonumber(state[4])
if before < 0 or last < before then redis.call('HSET', KEYS[1], 'until', last) end
return { 'lowered' }
