-- Let a call in, or say when to come back.
-- KEYS: ledger, slots    ARGV: now, what is asked (2-11), slot id, lease s, expiry ms, the ledger's
--   birth as the caller knows it, a fresh one, and what the caller carries: points a minute, pause s
-- -> {ms to wait, 0 when in, -1 to ask again; birth; points in the minute; reason}
--
-- A ledger that the caller doesn't know is new to it, or was lost: it asks again, and carries what
-- it has spent in the last minute, so that a restarted Redis lets no second minute through.
local ledger, slots = KEYS[1], KEYS[2]
local now, ask = moment(ARGV[1]), asked(ARGV)
local born = redis.call('HGET', ledger, 'born')
if not born then
  born = ARGV[16]
  redis.call('HSET', ledger, 'born', born)
  redis.call('PEXPIRE', ledger, ARGV[14])
end
if born ~= ARGV[15] then return {-1, born, 0, ''} end

-- Leases that ran out: a killed process. Its calls are taken as spent.
for _, member in ipairs(redis.call('ZRANGEBYSCORE', slots, '-inf', now)) do
  local resource, points, weight = string.match(member, '^%S+ (%S+) (%d+) (%d+)$')
  local kind = resource == 'graphql' and 'graphql' or 'rest'
  redis.call('HINCRBY', ledger, resource .. '.pending', -points)
  redis.call('HINCRBY', ledger, resource .. '.left', -points)
  local m = minute_at(ledger, kind, now, ask.width)
  m.pending = math.max(0, m.pending - weight)
  keep_minute(ledger, m, tonumber(weight))
  redis.call('ZREM', slots, member)
end

if tonumber(ARGV[18]) > 0 then
  local paused = tonumber(redis.call('HGET', ledger, 'paused')) or 0
  redis.call('HSET', ledger, 'paused', math.max(paused, now + ARGV[18]))
end
local w = window_at(ledger, ask.resource, now, ask.assumed, ask.seconds)
local m = minute_at(ledger, ask.kind, now, ask.width)
local calls = redis.call('ZCARD', slots)
if calls == 0 then w.pending, m.pending = 0, 0 end -- also where the set was evicted alone
keep_minute(ledger, m, tonumber(ARGV[17]))

local wait, reason = verdict(ledger, ask, now, w, m, calls)
if wait <= 0 then
  w.pending, m.pending = w.pending + ask.points, m.pending + ask.weight
  redis.call('HSET', ledger, m.kind .. '_minute.pending', m.pending)
  local member = ARGV[12] .. ' ' .. ask.resource .. ' ' .. ask.points .. ' ' .. ask.weight
  redis.call('ZADD', slots, now + ARGV[13], member)
  redis.call('PEXPIRE', slots, ARGV[14])
end
local R = ask.resource .. '.'
redis.call('HSET', ledger, R .. 'limit', w.limit, R .. 'left', w.left, R .. 'reset', w.reset,
  R .. 'sure', w.sure and 1 or 0, R .. 'closed', w.closed, R .. 'pending', w.pending,
  R .. 'since', w.since)
redis.call('PEXPIRE', ledger, ARGV[14])
return {math.ceil(wait * 1000), born, m.total + m.pending, reason}
