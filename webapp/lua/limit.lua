-- How much a client has done within a window, which its first request or guess opens.
-- KEYS: the client's window
-- ARGV: seconds of the window; then nothing: a request is counted; '' is only a look at the guesses
--       so far; else a guess, counted where it is another than those
-- -> how many, seconds left
local key, guess = KEYS[1], ARGV[2]
local many
if guess == nil then
  many = redis.call('INCR', key)
else
  if guess ~= '' then
    redis.call('SADD', key, guess)
  end
  many = redis.call('SCARD', key)
end
local left = redis.call('TTL', key)
if left < 0 and many > 0 then
  redis.call('EXPIRE', key, ARGV[1])
  left = tonumber(ARGV[1])
end
return {many, left}
