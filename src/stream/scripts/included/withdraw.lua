-- withdraw.lua -- Marks the entry that a dead letter was made of, for replay.lua and discard.lua.
--
-- A worker that was held up may still have the entry in hand: of an earlier opening it then asks here, and writes no row.

local MARKS_MAX = 10000

local function withdraw(withdrawn, fields)
  for i = 1, #fields, 2 do
    if fields[i] == 'entry' then
      redis.call('ZREMRANGEBYRANK', withdrawn, 0, -MARKS_MAX)
      redis.call('ZADD', withdrawn, redis.call('TIME')[1], fields[i + 1])
    end
  end
end
