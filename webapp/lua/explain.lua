-- Says in a message why it failed, before it becomes a dead letter; one that isn't there any more
-- (another worker was given it, and has finished it) stays away.
--
-- KEYS[1]  a queue's messages
-- ARGV     id in Redis, message

if redis.call('hexists', KEYS[1], ARGV[1]) == 1 then
    redis.call('hset', KEYS[1], ARGV[1], ARGV[2])
end
