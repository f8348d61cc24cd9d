#!lua flags=allow-oom
-- Notes the offset that a job may come back to.
-- KEYS  1 meta
-- ARGV  1 job, 2 generation, 3 offset
-- reply {'OK'} | {'FENCED', generation} | {'NOTOPIC'}
-- Keeps: a job's generation never falls while it is registered.
local meta = redis.call('HMGET', KEYS[1], 'end', 'j:' .. ARGV[1])
if not meta[1] then return {'NOTOPIC'} end
local generation = meta[2] and tonumber(string.match(meta[2], '^(%d+) ')) or 0
if tonumber(ARGV[2]) < generation then return {'FENCED', generation} end
redis.call('HSET', KEYS[1], 'j:' .. ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
return {'OK'}
