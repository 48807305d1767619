-- note-offered.lua -- Notes that a process lives, and has offered to this server all that it remembers.
--
-- KEYS    [1] issues:{p}:processes hash: name of a process → when, and to which server
-- ARGV    name of the process, name of this server
-- Reply   { 'noted' } or { 'other server' }
-- Cost    O(1)

--- include ../../scripts/included/usable-state.lua
if not isServer(ARGV[2]) then return { 'other server' } end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', nowMs(), ARGV[2]))
return { 'noted' }
