-- claim-installation.lua -- Marks a Redis that belongs to nobody as one of this installation, and says whose it is.
--
-- KEYS    [1] installation hash
-- ARGV    name of the installation, number of partitions, layout of keys, id for this Redis, generation, 1 if MySQL does not know the id yet
-- Reply   { name, partitions, layout, id, generation, 1 while MySQL may not know the id } as they are now
-- Cost    O(1)

if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'name', ARGV[1], 'partitions', ARGV[2], 'layout', ARGV[3], 'id', ARGV[4], 'generation', ARGV[5])
  if ARGV[6] == '1' then redis.call('HSET', KEYS[1], 'new', 1) end
end
local mark = redis.call('HMGET', KEYS[1], 'name', 'partitions', 'layout', 'id', 'generation')
mark[6] = redis.call('HGET', KEYS[1], 'new') and 1 or 0
return mark
