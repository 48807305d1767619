-- append-entry.lua -- Included by scripts that accept issues: the one writer of an entry, whose fields entry.ts explains.

--- Appends one accepted batch to the stream KEYS[3]; `users` is text with commas between them.
local function appendEntry(coupon, epoch, first, now, users)
  redis.call('XADD', KEYS[3], '*', 'v', 1, 'c', coupon, 'e', epoch, 's', first, 't', now, 'u', users)
end
