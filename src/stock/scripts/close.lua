-- close.lua -- Frees what Redis holds of a coupon that is over, unless it was opened again meanwhile.
--
-- It also ends the lease of an opening under way: swapped in after the home is MySQL again, it would be a second stock. An
-- opening that begins later raises the epoch in MySQL, which the second half of the closing checks.
--
-- KEYS    [1] coupon:{p}:<id>:state hash, [2] …:owners hash, [3] …:opening string
-- ARGV    epoch under which the coupon was found to be over
-- Reply   { 'closed' } or { 'changed' } when there is a state of a later epoch or a later release
-- Cost    O(1); the owners are freed in the background

--- include ./included/usable-state.lua
if not isKnownForm() then return { 'changed' } end
-- A state may be of an earlier epoch: an opening that outlived its lease has raised the epoch in vain.
local epoch = tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0)
if epoch > tonumber(ARGV[1]) then return { 'changed' } end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
return { 'closed' }
