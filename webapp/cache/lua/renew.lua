-- Keep (ms > 0) or give back (0) a lease that is still ours.
-- KEYS: lease    ARGV: token, ms    -> 1 if it was ours
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
