-- A job starts: it is listed as running, and whoever enqueues the same from now on gets another.
--
-- KEYS[1]  what this worker runs
-- KEYS[2]  the claim, or ''
-- ARGV     id in Redis, what is listed, the list's life in ms, job

redis.call('hset', KEYS[1], ARGV[1], ARGV[2])
redis.call('pexpire', KEYS[1], ARGV[3])
if KEYS[2] ~= '' then
    local claim = redis.call('get', KEYS[2])
    if claim and string.sub(claim, 1, #ARGV[4] + 1) == ARGV[4] .. ' ' then
        redis.call('del', KEYS[2])
    end
end
