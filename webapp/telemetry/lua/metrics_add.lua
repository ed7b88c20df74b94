-- Add what one process counted to its windows and to the counters of all time, exactly once.
-- KEYS: processes' last numbers, dirty windows, all time
-- ARGV: process, number of this delivery, '1' to take it after a gap, now, window of 10 s, of a minute
--       (their starts, Unix seconds), a JSON list of series:
--       [name, labels, labels where there are too many, most, shown, adds, least, most, value, ever]
-- -> the number of the last delivery that is counted; less than this one's means that some before it
--    are missing here (a server that lost its last second), and that this one isn't counted
local process, number = ARGV[1], tonumber(ARGV[2])
local last = tonumber(string.match(redis.call('HGET', KEYS[1], process) or '0', '^%d+'))
if last >= number then return last end
if last < number - 1 and ARGV[3] ~= '1' then return last end
redis.call('HSET', KEYS[1], process, ARGV[2] .. ' ' .. ARGV[4])

local now = tonumber(ARGV[4])
local windows = {{10, tonumber(ARGV[5]), 3600}, {60, tonumber(ARGV[6]), 7200}}
local kept = 7200

local function whole(number) return string.format('%.0f', number) end

-- A label set that is new where there are `most` already counts as the folded one.
local function known(name, labels, folded, most)
  local sets = 'fw:m:s:' .. name
  if not redis.call('ZSCORE', sets, labels) and redis.call('ZCARD', sets) >= most then
    redis.call('ZREMRANGEBYSCORE', sets, '-inf', now - kept)
    if redis.call('ZCARD', sets) >= most then labels = folded end
  end
  redis.call('ZADD', sets, whole(now), labels)
  redis.call('EXPIRE', sets, kept * 2)
  return labels
end

local function shown(name, labels, folded, most)
  local sets = 'fw:m:e:' .. name
  if redis.call('SISMEMBER', sets, labels) == 1 then return labels end
  if redis.call('SCARD', sets) >= most then return folded end
  redis.call('SADD', sets, labels)
  return labels
end

local function extreme(key, field, value, beats)
  local held = redis.call('HGET', key, field)
  if not held or beats(value, tonumber(held)) then redis.call('HSET', key, field, whole(value)) end
end

for _, series in ipairs(cjson.decode(ARGV[7])) do
  local name, labels, folded, most, lasting = unpack(series, 1, 5)
  local adds, least, greatest, value, ever = unpack(series, 6, 10)
  local into = known(name, labels, folded, most)
  for _, window in ipairs(windows) do
    local step, start, keeps = unpack(window)
    local key = 'fw:m:w:' .. step .. ':' .. whole(start) .. ':' .. name .. '|' .. into
    for field, add in pairs(adds) do redis.call('HINCRBY', key, field, whole(add)) end
    if least ~= cjson.null then
      extreme(key, 'least', least, function(a, b) return a < b end)
      extreme(key, 'most', greatest, function(a, b) return a > b end)
    end
    if value ~= cjson.null then redis.call('HSET', key, 'value', value) end
    redis.call('EXPIREAT', key, whole(start + step + keeps))
  end
  if lasting > 0 then
    into = shown(name, labels, folded, lasting)
    for field, add in pairs(ever) do
      redis.call('HINCRBY', KEYS[3], name .. '|' .. into .. '|' .. field, whole(add))
    end
  end
end

redis.call('HSETNX', KEYS[3], 'born', whole(now))
for _, step in ipairs({60, 300, 3600}) do
  local start = windows[2][2] - windows[2][2] % step
  redis.call('HINCRBY', KEYS[2], step .. ':' .. whole(start), 1)
end
-- Processes that ended long ago.
if redis.call('HLEN', KEYS[1]) > 500 then
  local held = redis.call('HGETALL', KEYS[1])
  for i = 1, #held, 2 do
    local seen = tonumber(string.match(held[i + 1], '%d+$'))
    if seen < now - 86400 then redis.call('HDEL', KEYS[1], held[i]) end
  end
end
-- Nobody rolls up: what no window holds any more can't be.
if redis.call('HLEN', KEYS[2]) > 1000 then
  for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
    local step, start = string.match(field, '^(%d+):(%d+)$')
    if tonumber(start) + tonumber(step) + kept < now then redis.call('HDEL', KEYS[2], field) end
  end
end
return number
