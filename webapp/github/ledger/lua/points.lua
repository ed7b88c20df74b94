-- Add to hashes of counters, each bounded: the largest consumers and credentials keep their names.
-- KEYS: hash ...    ARGV: ms that each hash lives ..., most names, then field, number, ...
-- -> number of hashes
--
-- Twice as many are let in before the smallest are folded into `other`, so that a newcomer has
-- time to grow, and the work is seldom.
local most = tonumber(ARGV[#KEYS + 1])

local function fold(key, group)
  local all, sums, names = redis.call('HGETALL', key), {}, {}
  for i = 1, #all, 2 do
    local name = string.match(all[i], '^' .. group .. ' (.+) %l+$')
    if name and name ~= 'other' then
      if not sums[name] then
        sums[name] = 0
        names[#names + 1] = name
      end
      sums[name] = sums[name] + all[i + 1]
    end
  end
  if #names <= 2 * most then return end
  table.sort(names, function(a, b)
    if sums[a] ~= sums[b] then return sums[a] > sums[b] end
    return a < b
  end)
  for i = most + 1, #names do
    for _, what in ipairs({' spent', ' saved'}) do
      local field = group .. ' ' .. names[i] .. what
      local number = redis.call('HGET', key, field)
      if number then
        redis.call('HINCRBY', key, group .. ' other' .. what, number)
        redis.call('HDEL', key, field)
      end
    end
  end
end

for i, key in ipairs(KEYS) do
  for j = #KEYS + 2, #ARGV, 2 do
    redis.call('HINCRBY', key, ARGV[j], ARGV[j + 1])
  end
  redis.call('PEXPIRE', key, ARGV[i])
  if redis.call('HLEN', key) > 2 * most then
    fold(key, 'consumer')
    fold(key, 'credential')
  end
end
return #KEYS
