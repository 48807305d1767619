-- issue.lua -- Load for wrk: one POST a request, each for another user, with as little work a request as Lua allows.
--
-- Arguments: the first coupon id, how many coupons to spread over, how many users before they come again (0: never), and
-- which generator this is when there are several (0, 1, ...): each has users of its own.
-- The body has the same length for every user, so the head is made once a coupon, and a request is two concatenations.

local heads, coupons, cycle = {}, 1, 0
local sent = 0
local FIRST_USER, USERS = 100000000000, 10000000000
-- Shares no factor with USERS, so that users come in an order of their own and never twice: real ids are not sorted, and
-- sorted ones would make the index by user cheaper than it is.
local STRIDE = 618033989

function init(args)
  local first = tonumber(args[1])
  coupons, cycle = tonumber(args[2]), tonumber(args[3])
  FIRST_USER = FIRST_USER * (1 + 2 * tonumber(args[4] or 0))
  for i = 0, coupons - 1 do
    local start = string.format('{"couponId":%d,"userId":', first + i)
    heads[i] = table.concat({
      'POST ' .. wrk.path .. ' HTTP/1.1',
      'Host: ' .. wrk.headers['Host'],
      'Content-Type: application/json',
      'Content-Length: ' .. #start + #tostring(FIRST_USER) + 1,
      '',
      start,
    }, '\r\n')
  end
end

function request()
  local i = sent
  sent = sent + 1
  if cycle > 0 then i = i % cycle end
  return heads[i % coupons] .. (FIRST_USER + i * STRIDE % USERS) .. '}'
end

-- Beside this file, wherever wrk was started.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'result.lua')
