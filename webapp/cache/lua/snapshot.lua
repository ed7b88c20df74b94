-- The versions of what a result is about to be computed from; a missing tag is created.
-- KEYS: tag ...    ARGV: tag ms, a fresh version for each tag    -> {version ...}
--
-- Taken before computing, so that whatever is forgotten meanwhile makes the result void.
local versions = {}
for i = 1, #KEYS do
  local version = redis.call('GET', KEYS[i])
  if not version then
    version = ARGV[i + 1]
    redis.call('SET', KEYS[i], version, 'PX', ARGV[1])
  elseif redis.call('PTTL', KEYS[i]) < tonumber(ARGV[1]) then
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
  end
  versions[i] = version
end
return versions
