-- million.lua -- Load for wrk: a number of requests, and a record of who won, so that every promise can be looked up.
--
-- Arguments: the coupon id, how many requests, the file for the winners (a line each: 202, user and sequence).
-- wrk cannot pause a connection, so what has been asked enough asks for /hello until the last answer is there.

local head, asked, answered, requests, winners = nil, 0, 0, 0, nil
local FIRST_USER, USERS, STRIDE = 100000000000, 10000000000, 618033989
local hello
local verified = false
local counts = { accepted = 0, refused = 0, unavailable = 0, other = 0 }

function init(args)
  requests, winners = tonumber(args[2]), assert(io.open(args[3], 'w'))
  local host = 'Host: ' .. wrk.headers['Host']
  local start = string.format('{"couponId":%d,"userId":', tonumber(args[1]))
  hello = 'GET /hello HTTP/1.1\r\n' .. host .. '\r\n\r\n'
  head = table.concat({
    'POST ' .. wrk.path .. ' HTTP/1.1',
    host,
    'Content-Type: application/json',
    'Content-Length: ' .. #start + #tostring(FIRST_USER) + 1,
    '',
    start,
  }, '\r\n')
end

function request()
  -- wrk asks once for a request that it only looks at.
  if not verified or asked == requests then
    verified = true
    return hello
  end
  asked = asked + 1
  return head .. (FIRST_USER + (asked - 1) * STRIDE % USERS) .. '}'
end

function response(status, _, body)
  if status == 200 then return end
  answered = answered + 1
  if status == 202 then
    counts.accepted = counts.accepted + 1
    winners:write('202 ', body:match('"userId":"(%d+)"'), ' ', body:match('"sequence":(%d+)'), '\n')
  elseif status == 409 then
    counts.refused = counts.refused + 1
  elseif status == 503 then
    counts.unavailable = counts.unavailable + 1
  else
    counts.other = counts.other + 1
  end
  if answered == requests then
    winners:write(string.format('counts %d %d %d %d\n', counts.accepted, counts.refused, counts.unavailable, counts.other))
    winners:close()
  end
end

-- Beside this file, wherever wrk was started.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'result.lua')
