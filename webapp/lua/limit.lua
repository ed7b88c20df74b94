-- How much a client has done within a window, which its first request or guess opens.
-- KEYS: the client's window
-- ARGV: seconds of the window, how many are let through; then nothing: a request is counted; '' is
--       only a look at the guesses so far; else a guess, counted where it is another than those
-- -> how many, seconds left, 1 where this guess was a new one
-- Of guesses no more are kept than tell that they are too many: whoever guesses on fills no memory.
local key, most, guess = KEYS[1], tonumber(ARGV[2]), ARGV[3]
local many
local added = 0
if guess == nil then
  many = redis.call('INCR', key)
else
  if guess ~= '' and redis.call('SCARD', key) <= most then
    added = redis.call('SADD', key, guess)
  end
  many = redis.call('SCARD', key)
end
local left = redis.call('TTL', key)
if left < 0 and many > 0 then
  redis.call('EXPIRE', key, ARGV[1])
  left = tonumber(ARGV[1])
end
return {many, left, added}
