-- Which credential to ask with: of those that may go now the one with most points left, else the
-- one that may go soonest; of equals the first.
-- KEYS: ledger, slots of each    ARGV: now, what is asked (2-11; of 4 the first's), assumed of each
-- -> its place, from 1
local now, ask = moment(ARGV[1]), asked(ARGV)
local best, best_wait, best_left
for i = 1, #KEYS / 2 do
  local ledger, slots = KEYS[2 * i - 1], KEYS[2 * i]
  local w = window_at(ledger, ask.resource, now, tonumber(ARGV[11 + i]), ask.seconds)
  local m = minute_at(ledger, ask.kind, now, ask.width)
  local calls = redis.call('ZCOUNT', slots, '(' .. string.format('%.6f', now), '+inf')
  local wait = verdict(ledger, ask, now, w, m, calls)
  local left = w.left - w.pending
  if not best or wait < best_wait or (wait == best_wait and left > best_left) then
    best, best_wait, best_left = i, wait, left
  end
end
return best
