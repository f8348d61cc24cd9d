#!lua flags=allow-oom
-- Notes the hosts of a generation, so that whoever coordinates later can drop its streams.
-- KEYS  1 exchanges
-- ARGV  1 generation, 2 hosts as JSON
-- reply 1
-- Keeps: XS3. allow-oom: a job must be able to restart while the log is full.
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
