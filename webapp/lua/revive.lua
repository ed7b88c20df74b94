-- Takes a dead letter, once however many try, and puts it back into its queue or drops it.
--
-- KEYS[1]  the queue; its dead letters are KEYS[1] .. '.XQ'
-- ARGV     id in Redis, and to put it back: its new id, and the message
--
-- Returns 1 where the letter was there.

local letters = KEYS[1] .. '.XQ'
local taken = redis.call('zrem', letters, ARGV[1])
redis.call('hdel', letters .. '.msgs', ARGV[1])
if taken == 1 and ARGV[2] then
    redis.call('hset', KEYS[1] .. '.msgs', ARGV[2], ARGV[3])
    redis.call('rpush', KEYS[1], ARGV[2])
end
return taken
