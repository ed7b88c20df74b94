-- What was rolled up isn't dirty any more, unless something was added meanwhile.
-- KEYS: dirty windows    ARGV: field, its version as it was read, ...    -> fields removed
local removed = 0
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then
    removed = removed + redis.call('HDEL', KEYS[1], ARGV[i])
  end
end
return removed
