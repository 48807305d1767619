-- Lua lint for the Redis scripts: what the server gives a script may be read and never set, and a global of our own would
-- outlive the call, so there are none.
std = 'lua51'
read_globals = {
  'redis', 'KEYS', 'ARGV', 'cjson', 'cmsgpack', 'struct',
  -- Defined by the files that a script includes (see src/redis/script.ts).
  'ERASED_FORM', 'accept', 'erasedAmong', 'isKnownForm', 'isServer', 'issuedIn', 'lastSequence', 'nowMs', 'withdraw',
}
allow_defined = false
max_line_length = 160

-- Included files define functions that only those who include them use.
files['src/**/included/*.lua'] = { ignore = { '211' } }

-- The generator's scripts are LuaJIT: they define the functions that wrk calls.
files['bench'] = {
  std = 'luajit',
  read_globals = { 'wrk' },
  globals = { 'init', 'delay', 'request', 'response', 'done' },
}
