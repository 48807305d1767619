-- count-requests.lua -- Adds what a process has counted in a window, and tells what all processes have counted together.
--
-- KEYS[1] limits:<kind>:<window> or idempotency:all:<window>, on a cluster with :<group> behind it   hash: name to requests
-- ARGV    how long the window is kept, in ms; then name, requests, name, requests, ...
-- Reply   the totals, in the order of the names; see count-requests.ts, which is the only reader
-- Cost    O(names)
local totals = {}
for i = 2, #ARGV, 2 do
  totals[#totals + 1] = redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return totals
