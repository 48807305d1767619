-- discard.lua -- Deletes a dead letter for good, and with it the state that counts its users as owners.
--
-- One script: after a crash between the two, the users would be owners of nothing forever, and their pieces never sold again.
--
-- KEYS    [1] issues:{p}:dead stream, [2] issues:{p}:withdrawn sorted set; of a letter that names a coupon also
--         [3] coupon:{p}:<id>:state hash, [4] …:opening string
-- ARGV    id of the dead letter
-- Reply   { 'discarded' } or { 'gone' } when there is no such dead letter
-- Cost    O(1)

--- include included/withdraw.lua

local letter = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not letter then return { 'gone' } end
-- A mark of a letter that stays harms nobody.
withdraw(KEYS[2], letter[2])
-- The state first: it is rebuilt with the letter's users if the letter may not be deleted.
if #KEYS > 2 then redis.call('UNLINK', KEYS[3], KEYS[4]) end
redis.call('XDEL', KEYS[1], ARGV[1])
return { 'discarded' }
