#!lua flags=allow-oom
-- Enters a worker, or repeats that.
-- KEYS  1 alive, 2 info, 3 load, 4 gone
-- ARGV  1 id, 2 description, 3 load, 4 ms until it counts as dead, 5 workers at most
-- reply {'ok'} | {'gone'} | {'full'}
-- Keeps: WR1, WR2. An id that was given up stays so.
-- The product below is a float on purpose: some Lua machines have 32-bit integers.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000.0 + math.floor(tonumber(time[2]) / 1000)
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if due and tonumber(due) <= now then return {'gone'} end
if redis.call('ZSCORE', KEYS[4], ARGV[1]) then return {'gone'} end
if not due and redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[5]) then return {'full'} end
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[4])), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[3])
return {'ok'}
