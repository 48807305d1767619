-- Lua lint for the Redis scripts: what the server gives a script may be read and never set, and a global of our own would
-- outlive the call, so there are none.
std = 'lua51'
read_globals = { 'redis', 'KEYS', 'ARGV', 'cjson', 'cmsgpack', 'struct' }
allow_defined = false
max_line_length = 160

-- The generator's scripts are LuaJIT: they define the functions that wrk calls.
files['bench'] = {
  std = 'luajit',
  read_globals = { 'wrk' },
  globals = { 'init', 'request', 'response', 'done' },
}
