-- many.lua -- Load for wrk: one POST a request, each for so many other users of one coupon, which the path names.
--
-- Arguments: how many users in a request, and the key of a backend. Users are those of issue.lua, in the same order.

local start, users = nil, 1
local sent = 0
local FIRST_USER, USERS, STRIDE = 100000000000, 10000000000, 618033989

function init(args)
  users = tonumber(args[1])
  start = table.concat({
    'POST ' .. wrk.path .. ' HTTP/1.1',
    'Host: ' .. wrk.headers['Host'],
    'Content-Type: application/json',
    'Authorization: Bearer ' .. args[2],
    'Content-Length: ' .. #'{"users":[]}' + users * (#tostring(FIRST_USER) + 1) - 1,
    '',
    '{"users":[',
  }, '\r\n')
end

function request()
  local named = {}
  for i = 1, users do
    named[i] = FIRST_USER + sent * STRIDE % USERS
    sent = sent + 1
  end
  return start .. table.concat(named, ',') .. ']}'
end

-- Beside this file, wherever wrk was started.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'result.lua')
