-- accept.lua -- Included by scripts that accept issues: the one writer of an entry, whose fields entry.ts explains, and of
-- what goes with it: the owners KEYS[2], the next sequence in KEYS[1], the number of unpersisted users KEYS[4].

--- Accepts one batch: writes all of it, or nothing. Returns the error if a command was refused.
--
-- Lua does not roll back. Memory and types can refuse only the first write, since the caller has read every other key; but rights
-- can be taken away from any command, also in a running system. So each write is undone by a command that was just allowed.
--
-- `version` is of the entry, `owners` user and sequence in turn, `users` the same users as text with commas between them,
-- `endpoint` the number of the one that was asked.
local function accept(version, coupon, epoch, first, next, now, owners, users, endpoint)
  redis.call('HSET', KEYS[1], 'next', next)
  local done = redis.pcall('INCRBY', KEYS[4], next - first)
  if type(done) ~= 'table' then
    done = redis.pcall('XADD', KEYS[3], '*', 'v', version, 'c', coupon, 'e', epoch, 's', first, 't', now, 'p', endpoint, 'u', users)
    if type(done) == 'table' and done.err then redis.call('INCRBY', KEYS[4], first - next) end
  end
  if type(done) == 'table' and done.err then
    redis.call('HSET', KEYS[1], 'next', first)
    return done
  end
  redis.call('HSET', KEYS[2], unpack(owners))
  return nil
end
