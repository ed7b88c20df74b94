-- Read entries without their bodies, and their tags' versions.
-- KEYS: of each answer its entry, then its tags    ARGV: of each answer how many tags it has
-- -> of each answer: the entry up to its body or nil, then each tag's version or nil
--
-- An entry's bytes 4 to 7 say where its body begins (cache/entry.py).
local found, place = {}, 1
for i = 1, #ARGV do
  local key = KEYS[place]
  local start = redis.call('GETRANGE', key, 3, 6)
  if #start == 4 then
    local a, b, c, d = string.byte(start, 1, 4)
    local offset = ((a * 256 + b) * 256 + c) * 256 + d
    found[place] = redis.call('GETRANGE', key, 0, offset - 1)
  else
    found[place] = false
  end
  for tag = place + 1, place + tonumber(ARGV[i]) do
    found[tag] = redis.call('GET', KEYS[tag])
  end
  place = place + tonumber(ARGV[i]) + 1
end
return found
