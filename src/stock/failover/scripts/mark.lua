-- mark.lua -- Writes a mark behind everything that this server has written, for a WAIT of the same connection.
--
-- Any other server than the one that decided refuses: it would confirm what it never had.
--
-- KEYS    [1] issues:{p}:mark string
-- ARGV    name of the server that decided
-- Reply   { 'marked' } or { 'other server' }
-- Cost    O(1)

--- include ../../scripts/included/usable-state.lua
if not isServer(ARGV[1]) then return { 'other server' } end
redis.call('SET', KEYS[1], 1)
return { 'marked' }
