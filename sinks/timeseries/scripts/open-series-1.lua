#!lua flags=allow-oom
-- Raises the fence of one sink of one job beside one shard of a series.
-- KEYS  1 fence
-- ARGV  1 <job> <operator>, 2 generation
-- reply the generation that holds now; another than ARGV 2 means that the caller is fenced
-- Keeps: the fence never falls.
local held = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) <= held then return held end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return tonumber(ARGV[2])
