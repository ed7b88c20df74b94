-- Add to an owner's demand: when each answer was last asked for, and its rank.
-- KEYS: last asked, rank, owners
-- ARGV: owner, now, half-life, seconds kept, most answers, most owners, then answer, count, ...
-- -> answers held
--
-- A rank is log2 of the sum, over all requests, of 2^(moment / half-life): requests lose half their
-- weight each half-life, yet the order of ranks never has to be brought up to date.
local last, rank, owners = KEYS[1], KEYS[2], KEYS[3]
local now, half_life, kept = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local log2 = math.log(2)
for i = 7, #ARGV, 2 do
  local answer, count = ARGV[i], tonumber(ARGV[i + 1])
  local added = now / half_life + math.log(count) / log2
  local held = tonumber(redis.call('ZSCORE', rank, answer) or '-inf')
  local high, low = math.max(added, held), math.min(added, held)
  local sum = high + math.log(1 + 2 ^ (low - high)) / log2
  redis.call('ZADD', rank, string.format('%.17g', sum), answer)
  redis.call('ZADD', last, now, answer)
end
local gone = redis.call('ZRANGEBYSCORE', last, '-inf', now - kept, 'LIMIT', 0, 1000)
local excess = redis.call('ZCARD', last) - #gone - tonumber(ARGV[5])
if excess > 0 then
  for _, answer in ipairs(redis.call('ZRANGE', rank, 0, excess - 1)) do
    gone[#gone + 1] = answer
  end
end
for i = 1, #gone do
  redis.call('ZREM', last, gone[i])
  redis.call('ZREM', rank, gone[i])
end
redis.call('ZADD', owners, now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', owners, '-inf', now - kept)
redis.call('ZREMRANGEBYRANK', owners, 0, -tonumber(ARGV[6]) - 1)
for _, key in ipairs(KEYS) do
  redis.call('EXPIRE', key, math.ceil(kept))
end
return redis.call('ZCARD', last)
