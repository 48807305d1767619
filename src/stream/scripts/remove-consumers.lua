-- remove-consumers.lua -- Removes the consumers of workers that are gone, of which nothing is pending.
--
-- One script: with a consumer Redis drops what is pending for it, which no worker would ever get again. Between a look and a removal a
-- worker of the same name could read or claim an entry; here nothing comes between. A worker whose consumer was removed gets it again
-- with its next read.
--
-- KEYS    [1] issues:{p} stream
-- ARGV    group, milliseconds for which a consumer has asked for nothing
-- Reply   { 'removed', consumers removed }
-- Cost    O(consumers)

local consumers = redis.pcall('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
if consumers.err then
  -- No worker has read this stream yet.
  if consumers.err:find('^NOGROUP') or consumers.err:find('no such key') then return { 'removed', 0 } end
  return consumers
end
local removed = 0
for _, consumer in ipairs(consumers) do
  local of = {}
  for i = 1, #consumer, 2 do of[consumer[i]] = consumer[i + 1] end
  if of.pending == 0 and of.idle >= tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], of.name)
    removed = removed + 1
  end
end
return { 'removed', removed }
