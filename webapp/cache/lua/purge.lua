#!lua flags=allow-oom
-- Give tags new versions, and tell every process. One write a tag, however many entries carry it.
-- KEYS: tag ...    ARGV: '1' for hard, tag ms, channel, message, a fresh version for each tag
-- -> tags written
for i = 1, #KEYS do
  local fresh = ARGV[i + 4]
  local version = redis.call('GET', KEYS[i])
  if version and ARGV[1] ~= '1' then
    fresh = string.match(version, '^[^.]*') .. string.match(fresh, '%..*$')
  end
  local ms = math.max(redis.call('PTTL', KEYS[i]), tonumber(ARGV[2]))
  redis.call('SET', KEYS[i], fresh, 'PX', ms)
end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return #KEYS
