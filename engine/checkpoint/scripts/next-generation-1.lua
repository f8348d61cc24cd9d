#!lua flags=allow-oom
-- Starts another attempt under the same token.
-- KEYS  1 control
-- ARGV  1 token
-- reply {'ok', generation} | {'fenced', 'token'}
-- Keeps: only the holder of the token raises the generation (CP1). Carried out twice it skips one, which is harmless.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return {'fenced', 'token'} end
return {'ok', redis.call('HINCRBY', KEYS[1], 'generation', 1)}
