#!lua flags=allow-oom
-- Gives a lease back.
-- KEYS  1 lease
-- ARGV  1 token
-- reply 1 given back | 0 not the holder's (any more)
-- Keeps: only the holder ends a lease before its time.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
