-- Before every other script here: how a credential's ledger is read, and its minutes written.
--
-- A ledger is one hash. Of a resource R: R.limit, R.left (what GitHub said, or what we counted),
-- R.reset, R.sure (1 where told by GitHub), R.closed (the reset of the last window told),
-- R.pending (points in flight), R.rate R.rated R.since (spending, decayed). Of a kind of minute K
-- (rest_minute, graphql_minute): K.0 ... K.60 (points in each sixtieth of it), K.total, K.last (the
-- newest of them), K.pending. And paused, strikes, born.
-- Its calls in flight are a sorted set: "id resource points weight" by when the lease ends.
local BUCKETS = 60
local RING = BUCKETS + 1 -- a bucket is kept until all of it is a minute old
local JITTER = 1         -- seconds by which the resets told of one window may differ
local RATE_OVER = 600    -- seconds that spending is averaged over, or the window's length

-- Redis's own clock, so that machines need not agree; a moment only where tests bring their own.
local function moment(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

-- A resource's window, as of now: one that has ended is full again, until told otherwise.
local function window_at(ledger, resource, now, assumed, seconds)
  local R = resource .. '.'
  local f = redis.call('HMGET', ledger, R .. 'limit', R .. 'left', R .. 'reset', R .. 'sure',
    R .. 'closed', R .. 'pending', R .. 'rate', R .. 'rated', R .. 'since')
  local w = {
    resource = resource, seconds = seconds,
    limit = tonumber(f[1]) or assumed, left = tonumber(f[2]), reset = tonumber(f[3]),
    sure = f[4] == '1', closed = tonumber(f[5]) or 0,
    pending = math.max(0, tonumber(f[6]) or 0),
    rate = tonumber(f[7]) or 0, rated = tonumber(f[8]) or now, since = tonumber(f[9]) or now,
  }
  if not w.left or not w.reset or w.reset <= now then
    if w.sure then w.closed = w.reset end
    w.left, w.reset, w.sure = w.limit, math.ceil(now + seconds), false
  end
  return w
end

-- A kind's rolling minute: total, and the buckets that have left it since it was written.
local function minute_at(ledger, kind, now, width)
  local K = kind .. '_minute.'
  local f = redis.call('HMGET', ledger, K .. 'total', K .. 'last', K .. 'pending')
  local m = {
    kind = kind, total = tonumber(f[1]) or 0, last = tonumber(f[2]),
    pending = math.max(0, tonumber(f[3]) or 0),
    bucket = math.floor(now / width), width = width, gone = {},
  }
  if not m.last then
    m.last = m.bucket
  elseif m.bucket > m.last then
    for b = m.last - BUCKETS, math.min(m.last, m.bucket - RING) do
      m.gone[#m.gone + 1] = K .. (b % RING)
    end
    if #m.gone > 0 then
      for _, points in ipairs(redis.call('HMGET', ledger, unpack(m.gone))) do
        m.total = m.total - (tonumber(points) or 0)
      end
    end
    m.last = m.bucket
  end
  return m
end

-- Write a minute, with so many points more spent now.
local function keep_minute(ledger, m, points)
  local K = m.kind .. '_minute.'
  if #m.gone > 0 then
    redis.call('HDEL', ledger, unpack(m.gone))
    m.gone = {}
  end
  if points > 0 then
    redis.call('HINCRBY', ledger, K .. (m.last % RING), points)
    m.total = m.total + points
  end
  redis.call('HSET', ledger, K .. 'total', m.total, K .. 'last', m.last, K .. 'pending', m.pending)
end

-- Seconds until so many points have left the minute; those in flight stay a minute longer.
local function seconds_to_free(ledger, m, points, now)
  local fields = {}
  for b = m.last - BUCKETS, m.last do
    fields[#fields + 1] = m.kind .. '_minute.' .. (b % RING)
  end
  local live = redis.call('HMGET', ledger, unpack(fields))
  for i = 1, RING do
    points = points - (tonumber(live[i]) or 0)
    if points <= 0 then return (m.last - BUCKETS + i - 1 + RING) * m.width - now end
  end
  return RING * m.width
end

-- What is asked: the same arguments from the second on, in every script that decides.
local function asked(argv)
  return {
    resource = argv[2], kind = argv[3], assumed = tonumber(argv[4]), seconds = tonumber(argv[5]),
    points = tonumber(argv[6]), weight = tonumber(argv[7]), reserve = tonumber(argv[8]),
    most_points = tonumber(argv[9]), most_calls = tonumber(argv[10]), width = tonumber(argv[11]),
  }
end

-- Seconds to wait before a call may go, 0 for now, and what for: whatever takes longest.
local function verdict(ledger, ask, now, w, m, calls)
  local wait, reason = 0, ''
  local function longer(seconds, why)
    if seconds > wait then wait, reason = seconds, why end
  end
  longer((tonumber(redis.call('HGET', ledger, 'paused')) or 0) - now, 'paused')
  local reserve = math.ceil(w.limit * ask.reserve / 100)
  if w.left - ask.points < reserve then
    longer(w.reset - now, 'hour')
  elseif w.left - w.pending - ask.points < reserve then
    longer(math.min(1, w.reset - now), 'hour') -- a call in flight may give its point back
  end
  local over = m.total + m.pending + ask.weight - ask.most_points
  if over > 0 then longer(seconds_to_free(ledger, m, over, now), 'minute') end
  if calls >= ask.most_calls then longer(0.2, 'slots') end
  return wait, reason
end
