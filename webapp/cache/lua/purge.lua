#!lua flags=allow-oom
-- Give tags new versions, and tell every process. One write a tag, however many entries carry it.
-- KEYS: tag ..., tag of results ...
-- ARGV: '1' for hard, tag ms, channel, message, a fresh version for each tag but those of results
-- -> tags written
--
-- A tag of results is deleted: what carries it is void, and few results are ever asked for again.
local tags = #ARGV - 4
for i = 1, tags do
  local fresh = ARGV[i + 4]
  local version = redis.call('GET', KEYS[i])
  if version and ARGV[1] ~= '1' then
    fresh = string.match(version, '^[^.]*') .. string.match(fresh, '%..*$')
  end
  local ms = math.max(redis.call('PTTL', KEYS[i]), tonumber(ARGV[2]))
  redis.call('SET', KEYS[i], fresh, 'PX', ms)
end
for i = tags + 1, #KEYS do
  redis.call('DEL', KEYS[i])
end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return tags
