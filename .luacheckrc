-- Lua lint for the Redis scripts: what the server gives a script may be read and never set, and a global of our own would
-- outlive the call, so there are none.
std = 'lua51'
read_globals = { 'redis', 'KEYS', 'ARGV', 'cjson', 'cmsgpack', 'struct' }
allow_defined = false
max_line_length = 160
