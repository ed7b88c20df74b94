-- The right to fetch for an entry, and its tags' versions from before the fetch begins.
-- KEYS: lease, tag ...    ARGV: token, lease ms, tag ms, a fresh version for each tag
-- -> {1 if the lease is ours else 0, version ...}
--
-- A missing tag is created, so that a purge during the fetch has something to change. A lease
-- whose snapshot is outdated is taken over: that fetch is void for whoever arrives now. The one
-- taken over may still fill for those who came before the purge, until its successor has filled.
local versions = {}
for i = 2, #KEYS do
  local version = redis.call('GET', KEYS[i])
  if not version then
    version = ARGV[i + 2]
    redis.call('SET', KEYS[i], version, 'PX', ARGV[3])
  end
  versions[i - 1] = version
end
local snapshot = table.concat(versions, ' ')
local held = redis.call('HMGET', KEYS[1], 'token', 'snapshot', 'before')
local acquired = 0
if not held[1] or held[2] ~= snapshot then
  local before = ''
  if held[1] then
    before = string.sub(held[1] .. ' ' .. held[3], 1, 160)
  end
  redis.call('HSET', KEYS[1], 'token', ARGV[1], 'snapshot', snapshot, 'before', before)
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  acquired = 1
end
return {acquired, unpack(versions)}
