#!lua flags=allow-oom
-- Gives out the next checkpoint id.
-- KEYS  1 control
-- ARGV  1 token, 2 generation
-- reply {'ok', id} | {'fenced', 'token' | 'generation'}
-- Keeps: no id is given out twice (CP2). Carried out twice it skips one, which is harmless.
local owner = redis.call('HMGET', KEYS[1], 'token', 'generation')
if owner[1] ~= ARGV[1] then return {'fenced', 'token'} end
if owner[2] ~= ARGV[2] then return {'fenced', 'generation'} end
return {'ok', redis.call('HINCRBY', KEYS[1], 'ids', 1)}
