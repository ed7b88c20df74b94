-- Puts jobs into their queues, all or none: the only way in, Dramatiq's own redelivery apart.
--
-- KEYS[1]  the namespace of the queues
-- KEYS[2]  a guard, or ''
-- ARGV     the guard's value as it must be ('' for none), the value that it gets, then for each job:
--          queue, id in Redis, job, message, key of its claim or '', the claim's life in ms,
--          'yield' where it makes way for a job that is queued already, else 'insist'
--
-- Returns the jobs that are queued now, in that order: each its own id, or that of the job which
-- it made way for. Returns false, and does nothing, where the guard has another value.
--
-- A claim is "<job> <id in Redis> <queue>". It counts only while that message really is in that
-- queue: whatever became of a job (done, dead, deleted, lost with a server's last second), nobody
-- is kept from enqueueing it again.

local namespace, guard = KEYS[1], KEYS[2]

if guard ~= '' then
    if (redis.call('get', guard) or '') ~= ARGV[1] then
        return false
    end
    redis.call('set', guard, ARGV[2])
end

local function claimed(key)
    local claim = redis.call('get', key)
    if not claim then
        return nil
    end
    local job, id, queue = string.match(claim, '^(%S+) (%S+) (%S+)$')
    if job and redis.call('hexists', namespace .. ':' .. queue .. '.msgs', id) == 1 then
        return job
    end
    return nil
end

local queued = {}
for first = 3, #ARGV, 7 do
    local queue, id, job, message = ARGV[first], ARGV[first + 1], ARGV[first + 2], ARGV[first + 3]
    local key, life, manner = ARGV[first + 4], ARGV[first + 5], ARGV[first + 6]
    local other = key ~= '' and claimed(key) or nil
    if other == job then
        other = nil
    end
    if other and manner == 'yield' then
        queued[#queued + 1] = other
    else
        if key ~= '' and not other then
            redis.call('set', key, job .. ' ' .. id .. ' ' .. queue, 'px', life)
        end
        redis.call('hset', namespace .. ':' .. queue .. '.msgs', id, message)
        redis.call('rpush', namespace .. ':' .. queue, id)
        queued[#queued + 1] = job
    end
end
return queued
