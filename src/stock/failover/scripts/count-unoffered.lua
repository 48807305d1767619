-- count-unoffered.lua -- Counts the processes that live and have not yet offered to this server what they remember.
--
-- KEYS    [1] issues:{p}:processes hash: name of a process → when, and to which server
-- ARGV    name of this server, age in ms at which a process is taken for dead
-- Reply   { 'counted', how many }
-- Cost    O(processes)

--- include ../../scripts/included/usable-state.lua
local now, unoffered = nowMs(), 0
local noted = redis.call('HGETALL', KEYS[1])
for i = 2, #noted, 2 do
  local at, server = string.match(noted[i], '^(%d+) (.*)$')
  if at and now - tonumber(at) <= tonumber(ARGV[2]) and server ~= ARGV[1] then unoffered = unoffered + 1 end
end
return { 'counted', unoffered }
