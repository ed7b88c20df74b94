-- Read windows.    KEYS: window ...    -> for each its fields and values, {} for none
local found = {}
for i, key in ipairs(KEYS) do found[i] = redis.call('HGETALL', key) end
return found
