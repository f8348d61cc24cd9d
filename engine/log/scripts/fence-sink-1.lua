#!lua flags=allow-oom
-- From here on stages of older generations of this sink are refused.
-- KEYS  1 meta
-- ARGV  1 sink, 2 generation
-- reply {'OK'} | {'FENCED', generation} | {'NOTOPIC'}
-- Keeps: a sink's generation never falls.
local meta = redis.call('HMGET', KEYS[1], 'end', 'g:' .. ARGV[1])
if not meta[1] then return {'NOTOPIC'} end
if tonumber(ARGV[2]) < tonumber(meta[2] or '0') then return {'FENCED', tonumber(meta[2])} end
redis.call('HSET', KEYS[1], 'g:' .. ARGV[1], ARGV[2])
return {'OK'}
