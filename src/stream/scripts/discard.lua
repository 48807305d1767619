-- discard.lua -- Deletes a dead letter for good, and with it the state that counts its users as owners.
--
-- One script: after a crash between the two, the users would be owners of nothing forever, and their pieces never sold again.
--
-- KEYS    [1] issues:{p}:dead stream; of a letter that names a coupon also [2] coupon:{p}:<id>:state hash, [3] …:opening string
-- ARGV    id of the dead letter
-- Reply   { 'discarded' } or { 'gone' } when there is no such dead letter
-- Cost    O(1)

if #redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1]) == 0 then return { 'gone' } end
-- The state first: it is rebuilt with the letter's users if the letter may not be deleted.
if #KEYS > 1 then redis.call('UNLINK', KEYS[2], KEYS[3]) end
redis.call('XDEL', KEYS[1], ARGV[1])
return { 'discarded' }
