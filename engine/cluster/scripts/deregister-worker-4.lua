#!lua flags=allow-oom
-- Takes a worker out.
-- KEYS  1 alive, 2 info, 3 load, 4 gone
-- ARGV  1 id
-- reply 1 it was there | 0 it was not
-- Keeps: WR2. A late copy of its registration does not bring it back.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000.0 + math.floor(tonumber(time[2]) / 1000)
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('ZADD', KEYS[4], string.format('%.0f', now), ARGV[1])
return redis.call('ZREM', KEYS[1], ARGV[1])
