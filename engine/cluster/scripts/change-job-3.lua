#!lua flags=allow-oom
-- Changes what a job should be, once per command id.
-- KEYS  1 desired, 2 commands, 3 settled
-- ARGV  1 command id, 2 the command, 3 revision that it must find or '', 4 settled commands to keep, 5 … fields of desired and their values
-- reply {'settled', answer} | {'pending'} | {'conflict', revision}
-- Keeps: DJ1, DJ2. revision rises by one with every change.
local before = redis.call('HMGET', KEYS[2], ARGV[1], ARGV[1] .. ':answer')
if before[2] then return {'settled', before[2]} end
if before[1] then return {'pending'} end
local revision = redis.call('HGET', KEYS[1], 'revision') or '0'
if ARGV[3] ~= '' and ARGV[3] ~= revision then return {'conflict', tonumber(revision)} end
for i = 5, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
revision = string.format('%.0f', redis.call('HINCRBY', KEYS[1], 'revision', 1))
local answer = 'done {"revision":' .. revision .. '}'
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2], ARGV[1] .. ':answer', answer)
redis.call('ZADD', KEYS[3], redis.call('HINCRBY', KEYS[1], 'commands', 1), ARGV[1])
local over = redis.call('ZCARD', KEYS[3]) - tonumber(ARGV[4])
if over > 0 then
  local old = redis.call('ZRANGE', KEYS[3], 0, over - 1)
  for i = 1, #old do
    redis.call('ZREM', KEYS[3], old[i])
    redis.call('HDEL', KEYS[2], old[i], old[i] .. ':answer')
  end
end
return {'settled', answer}
