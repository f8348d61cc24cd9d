#!lua flags=allow-oom
-- Says that a worker lives, and what it carries.
-- KEYS  1 alive, 2 load
-- ARGV  1 id, 2 load, 3 ms until it counts as dead
-- reply 1 noted | 0 given up: it was silent for too long, or deregistered
-- Keeps: WR1, WR2. A heartbeat never brings a worker back.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000.0 + math.floor(tonumber(time[2]) / 1000)
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due or tonumber(due) <= now then return 0 end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[3])), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return 1
