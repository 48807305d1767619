-- note-offered.lua -- Notes that a process lives, and has offered to this server all that it remembers.
--
-- KEYS    issues:{p}:processes hash of each partition: name of a process → when, and to which server
-- ARGV    name of the process, name of this server, age in ms at which a process is taken for dead, 1 to remove those that are
-- Reply   { 'noted' } or { 'other server' }
-- Cost    O(partitions), with removal O(partitions × processes)

--- include ../../scripts/included/usable-state.lua
if not isServer(ARGV[2]) then return { 'other server' } end
local now = nowMs()
for _, key in ipairs(KEYS) do
  local noted = ARGV[4] == '1' and redis.call('HGETALL', key) or {}
  for i = 1, #noted, 2 do
    local at = string.match(noted[i + 1], '^%d+')
    if not at or now - tonumber(at) > tonumber(ARGV[3]) then redis.call('HDEL', key, noted[i]) end
  end
  redis.call('HSET', key, ARGV[1], string.format('%.0f %s', now, ARGV[2]))
  -- When no process is left, their names go too.
  redis.call('PEXPIRE', key, ARGV[3])
end
return { 'noted' }
