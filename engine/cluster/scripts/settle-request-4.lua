#!lua flags=allow-oom
-- Answers a pending command for good.
-- KEYS  1 leases, 2 commands, 3 pending, 4 settled
-- ARGV  1 lease token, 2 command id, 3 answer, 4 settled commands to keep
-- reply {'settled', command, answer} | {'unknown'} | {'fenced'}
-- Keeps: DJ2, DJ3. The first answer stays.
local before = redis.call('HMGET', KEYS[2], ARGV[2], ARGV[2] .. ':answer')
if before[2] then return {'settled', before[1], before[2]} end
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {'fenced'} end
if not before[1] then return {'unknown'} end
redis.call('HSET', KEYS[2], ARGV[2] .. ':answer', ARGV[3])
redis.call('ZADD', KEYS[4], redis.call('ZSCORE', KEYS[3], ARGV[2]), ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
local over = redis.call('ZCARD', KEYS[4]) - tonumber(ARGV[4])
if over > 0 then
  local old = redis.call('ZRANGE', KEYS[4], 0, over - 1)
  for i = 1, #old do
    redis.call('ZREM', KEYS[4], old[i])
    redis.call('HDEL', KEYS[2], old[i], old[i] .. ':answer')
  end
end
return {'settled', before[1], ARGV[3]}
