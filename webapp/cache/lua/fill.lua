-- Store what was fetched under a lease, unless a purge or a successor has made it void.
-- KEYS: lease, entry, tag ...    ARGV: token, entry ('' ends it), entry ms, tag ms, version ...
-- -> 'stored' | 'fenced' (the lease is another's who has filled) | 'purged' (hard)
--
-- After a soft purge it is stored all the same, with the versions of its snapshot: already purged,
-- but good for those who came before the purge, and as grace.
local held = redis.call('HMGET', KEYS[1], 'token', 'before')
local ours = held[1] == ARGV[1]
if not ours and not (held[2] and string.find(held[2], ARGV[1], 1, true)) then
  return 'fenced'
end
for i = 3, #KEYS do
  local version = redis.call('GET', KEYS[i])
  local mine = ARGV[i + 2]
  if not version or string.match(version, '^[^.]*') ~= string.match(mine, '^[^.]*') then
    if ours then redis.call('DEL', KEYS[1]) end
    return 'purged'
  end
end
if ARGV[2] == '' then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
  for i = 3, #KEYS do
    if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[4]) then
      redis.call('PEXPIRE', KEYS[i], ARGV[4])
    end
  end
end
if ours then redis.call('DEL', KEYS[1]) end
return 'stored'
