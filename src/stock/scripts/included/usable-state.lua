-- usable-state.lua -- Included by scripts that rely on the state of a coupon: may it be used, and what follows from its fields.

--- The clock of a coupon, in milliseconds: that of this server, and what the clock of MySQL was ahead of it when the coupon was opened
--- (field `ahead`; missing in states of earlier releases), so that no coupon goes back in time when its stock moves.
local function nowMs(ahead)
  local clock = redis.call('TIME')
  return clock[1] * 1000 + math.floor(clock[2] / 1000) + (tonumber(ahead) or 0)
end

--- Whether this server still is the one that the caller knows: a replica that was promoted behind a standing connection has
--- another replication id, and perhaps older data.
local function isServer(name)
  local replication = 'master_replid:' .. string.match(name, '%w+$')
  return string.find(redis.call('INFO', 'replication'), replication, 1, true) ~= nil
end

--- The form of states with the field `erased`, the key of pseudonyms: a release that ignored it would give a coupon to erased users again.
local ERASED_FORM = '1e'

--- Whether the state has a form that this release knows: the field `form`, which the releases that knew only one left out.
--- A later one is neither used nor rebuilt over, since two releases that rebuild each other's states in turn give numbers twice.
local function isKnownForm()
  local form = redis.call('HGET', KEYS[1], 'form')
  return not form or form == '1' or form == ERASED_FORM
end

--- How many were issued, or nil for a state that must be compared with MySQL or rebuilt before it is used: one that is missing,
--- or of a server before a restart, failover or restored backup, or with fewer owners than issues, whose users would get a
--- second coupon. The sequences in `gap` have no owner.
local function issuedIn(run, next, gap, server)
  if run ~= server then return nil end
  if not isKnownForm() then return nil end
  local owners = redis.call('HLEN', KEYS[2])
  return owners == next - 1 - gap and owners or nil
end

--- The last sequence of a coupon with a total: the gap is made up for at the end, up to the largest whole number that JSON,
--- JavaScript and Lua all hold exactly.
local function lastSequence(gap, total)
  return math.min(gap + total, 9007199254740991)
end

--- The sequences of erased users by their pseudonyms, in the order of these; an empty table where nobody was erased.
local function erasedAmong(erasureKey, pseudonyms)
  if not erasureKey then return {} end
  local names = {}
  for name in string.gmatch(pseudonyms, '[^,]+') do names[#names + 1] = name end
  return redis.call('HMGET', KEYS[2], unpack(names))
end
