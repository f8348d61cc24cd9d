#!lua flags=allow-oom
-- Makes the caller the owner of a job.
-- KEYS  1 control
-- ARGV  1 uuid of the new owner, 2 its name (for people)
-- reply {token, generation}
-- Keeps: tokens and generations are never used twice (CP1). Carried out twice, only the second answer counts.
-- allow-oom: a job must be able to restart while the log is full.
local token = redis.call('HINCRBY', KEYS[1], 'takeovers', 1) .. ':' .. ARGV[1]
redis.call('HSET', KEYS[1], 'token', token, 'owner', ARGV[2])
return {token, redis.call('HINCRBY', KEYS[1], 'generation', 1)}
