-- flood.lua -- Load for wrk: strangers who ask for coupons that do not exist, each time another, with pauses between.
--
-- Arguments: how long a connection waits between two requests on average, in milliseconds; the least and the greatest id.

local pause, least, greatest = 1000, 0, 0
local sent = 0

function init(args)
  pause, least, greatest = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  math.randomseed(os.time())
end

function delay()
  return math.random(1, 2 * pause - 1)
end

local function issue(path, id)
  return wrk.format('POST', path, { ['Content-Type'] = 'application/json' }, string.format('{"couponId":%.0f,"userId":1}', id))
end

function request()
  sent = sent + 1
  local id = least + math.floor(math.random() * (greatest - least))
  local turn = sent % 4
  if turn == 0 then return wrk.format('GET', string.format('/v1/drops/%.0f', id)) end
  if turn == 1 then return wrk.format('GET', string.format('/v1/coupons/%.0f/events', id)) end
  if turn == 2 then return issue('/v1/issue', id) end
  return issue('/v2/issue-async', id)
end

-- Beside this file, wherever wrk was started.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'result.lua')
