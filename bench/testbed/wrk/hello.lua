-- hello.lua -- Load for wrk: the same GET again and again; it only adds a result that programs can read.

-- Beside this file, wherever wrk was started.
dofile(debug.getinfo(1, 'S').source:match('^@(.*/)') .. 'result.lua')
