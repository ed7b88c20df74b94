-- What a ledger says of one resource, without changing it.
-- KEYS: ledger    ARGV: now, resource, assumed, window s
-- -> {limit, left, reset, sure; ms of pause left; points spent a second, as text}
local ledger, now = KEYS[1], moment(ARGV[1])
local w = window_at(ledger, ARGV[2], now, tonumber(ARGV[3]), tonumber(ARGV[4]))
local paused = math.max(0, (tonumber(redis.call('HGET', ledger, 'paused')) or 0) - now)
local over = math.min(RATE_OVER, w.seconds)
local age = math.max(math.min(60, over), now - w.since) -- a first call is no trend
local rate = w.rate * math.exp(-math.max(0, now - w.rated) / over) / (over * (1 - math.exp(-age / over)))
return {w.limit, w.left - w.pending, math.ceil(w.reset), w.sure and 1 or 0,
  math.ceil(paused * 1000), string.format('%.9g', rate)}
