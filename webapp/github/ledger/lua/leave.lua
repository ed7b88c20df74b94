-- A call has ended: give its slot back, count it in the minute, learn what the answer told.
-- KEYS: ledger, slots    ARGV: now, resource, kind, assumed, window s, points and weight reserved,
--   points and weight spent, bucket s, slot id, expiry ms, succeeded, refused (1 or 0), and what
--   the headers told: resource or '', limit, remaining, reset, assumed, window s
-- -> {limit, left, reset, sure; ms of pause left; points in the minute}, of the resource told
local ledger, slots, now = KEYS[1], KEYS[2], moment(ARGV[1])
local resource, points, weight = ARGV[2], tonumber(ARGV[6]), tonumber(ARGV[7])
local member = ARGV[11] .. ' ' .. resource .. ' ' .. ARGV[6] .. ' ' .. ARGV[7]
local ours = redis.call('ZREM', slots, member) == 1 -- else its lease ran out: counted as spent

local m = minute_at(ledger, ARGV[3], now, tonumber(ARGV[10]))
if ours then
  m.pending = math.max(0, m.pending - weight)
  keep_minute(ledger, m, tonumber(ARGV[9]))
end

local w = window_at(ledger, resource, now, tonumber(ARGV[4]), tonumber(ARGV[5]))
if ours then w.pending = math.max(0, w.pending - points) end

local function spend(window, fell)
  local over = math.min(RATE_OVER, window.seconds)
  window.rate = window.rate * math.exp(-math.max(0, now - window.rated) / over) + fell
  window.rated = math.max(now, window.rated)
end

local function learn(window, limit, remaining, reset)
  local spent = tonumber(ARGV[8])
  if ARGV[14] == '1' and remaining == 0 and reset <= now then
    reset = math.ceil(now) + 2 -- refused in a window that has ended here: our clock is ahead
  end
  local known = window.sure and window.reset or window.closed
  if window.sure and math.abs(reset - known) <= JITTER then
    -- The same window. Answers come out of order: the least is the latest.
    spend(window, math.max(0, window.left - remaining))
    window.left, window.limit = math.min(window.left, remaining), limit
  elseif reset > known + JITTER and reset > now then
    spend(window, spent)
    if window.sure then window.closed = known end
    window.limit, window.left, window.reset, window.sure = limit, remaining, reset, true
  end -- else an answer from a window that is over
end

local function save(window)
  local R = window.resource .. '.'
  redis.call('HSET', ledger, R .. 'limit', window.limit, R .. 'left', window.left,
    R .. 'reset', window.reset, R .. 'sure', window.sure and 1 or 0, R .. 'closed', window.closed,
    R .. 'pending', window.pending, R .. 'rate', window.rate, R .. 'rated', window.rated,
    R .. 'since', window.since)
end

if ARGV[15] == '' then
  if ours then
    local spent = tonumber(ARGV[8])
    w.left = w.left - spent
    spend(w, spent)
  end
else
  if ARGV[15] ~= resource then
    save(w)
    w = window_at(ledger, ARGV[15], now, tonumber(ARGV[19]), tonumber(ARGV[20]))
  end
  learn(w, tonumber(ARGV[16]), tonumber(ARGV[17]), tonumber(ARGV[18]))
end
save(w)

local f = redis.call('HMGET', ledger, 'paused', 'strikes')
local paused = math.max(0, (tonumber(f[1]) or 0) - now)
if f[2] and paused == 0 and ARGV[13] == '1' then redis.call('HDEL', ledger, 'strikes') end
redis.call('PEXPIRE', ledger, ARGV[12])
return {w.limit, w.left - w.pending, math.ceil(w.reset), w.sure and 1 or 0,
  math.ceil(paused * 1000), m.total + m.pending}
