#!lua flags=allow-oom
-- Asks a job's coordinator for something, once per command id.
-- KEYS  1 desired, 2 commands, 3 pending
-- ARGV  1 command id, 2 the command, 3 pending commands at most
-- reply {'pending', command} | {'settled', command, answer} | {'unknown'} | {'full'}
-- Keeps: DJ2. What was asked first under an id stays.
local before = redis.call('HMGET', KEYS[2], ARGV[1], ARGV[1] .. ':answer')
if before[2] then return {'settled', before[1], before[2]} end
if before[1] then return {'pending', before[1]} end
if redis.call('HEXISTS', KEYS[1], 'revision') == 0 then return {'unknown'} end
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[3]) then return {'full'} end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[3], redis.call('HINCRBY', KEYS[1], 'commands', 1), ARGV[1])
return {'pending', ARGV[2]}
