#!lua flags=allow-oom
-- Lists a job.
-- KEYS  1 names
-- ARGV  1 job, 2 jobs at most
-- reply 1 listed, now or before | 0 there are too many
-- Keeps: DJ4.
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then return 1 end
if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
redis.call('SADD', KEYS[1], ARGV[1])
return 1
