-- Let no call of a credential in for some time, in any process.
-- KEYS: ledger    ARGV: now, seconds stated or '' for a guess, 1 for GitHub's refusal or 0 for an
--   order of ours, the first guess s, the longest pause s, expiry ms    -> ms of pause left
--
-- A guess doubles with each refusal after the pause before it. Those that come during a pause were
-- under way when it began, and count once.
local ledger, now, longest = KEYS[1], moment(ARGV[1]), tonumber(ARGV[5])
local f = redis.call('HMGET', ledger, 'paused', 'strikes')
local paused, strikes = tonumber(f[1]) or 0, tonumber(f[2]) or 0
local running = paused > now
local seconds = tonumber(ARGV[2])
if ARGV[3] == '1' and not running then
  strikes = math.min(strikes + 1, 20)
  redis.call('HSET', ledger, 'strikes', strikes)
  seconds = seconds or ARGV[4] * 2 ^ (strikes - 1)
end
paused = math.max(paused, now + math.min(seconds or 0, longest))
redis.call('HSET', ledger, 'paused', paused)
redis.call('PEXPIRE', ledger, ARGV[6])
return math.ceil(math.max(0, paused - now) * 1000)
