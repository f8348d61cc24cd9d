#!lua flags=allow-oom
-- Replaces the status document of a job.
-- KEYS  1 leases, 2 status
-- ARGV  1 lease token, 2 version of the document under that token, 3 the document
-- reply 'published' | 'fenced' | 'stale' the same or a later version is there
-- Keeps: DJ3. Only the newest lease ever given publishes, also after it has run out; a late copy replaces nothing.
if redis.call('HGET', KEYS[1], 'token') ~= ARGV[1] then return 'fenced' end
local before = redis.call('HMGET', KEYS[2], 'token', 'version')
if before[1] == ARGV[1] and tonumber(ARGV[2]) <= tonumber(before[2]) then
  return ARGV[2] == before[2] and 'published' or 'stale'
end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000.0 + math.floor(tonumber(time[2]) / 1000)
redis.call('HSET', KEYS[2], 'token', ARGV[1], 'version', ARGV[2], 'at', string.format('%.0f', now), 'document', ARGV[3])
return 'published'
