-- guarded.lua -- Load for wrk: as issue.lua, one POST a request, each for another user, who shows a token of their own.
--
-- Arguments: the coupon id, the file of the tokens (a line each, in the order of the users).
-- When the tokens do not suffice the run fails: no user may come twice.

local start, between, tokens = nil, nil, nil
local sent = 0
local FIRST_USER, USERS, STRIDE = 100000000000, 10000000000, 618033989

function init(args)
  local body = string.format('{"couponId":%d,"userId":', tonumber(args[1]))
  start = table.concat({
    'POST ' .. wrk.path .. ' HTTP/1.1',
    'Host: ' .. wrk.headers['Host'],
    'Content-Type: application/json',
    'Content-Length: ' .. #body + #tostring(FIRST_USER) + 1,
    'Authorization: Bearer ',
  }, '\r\n')
  between = '\r\n\r\n' .. body
  tokens = assert(io.open(args[2]))
end

function request()
  local i = sent
  sent = sent + 1
  return start .. assert(tokens:read('*l'), 'too few tokens') .. between .. (FIRST_USER + i * STRIDE % USERS) .. '}'
end

-- Beside this file, wherever wrk was started.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'result.lua')
