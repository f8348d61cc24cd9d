#!lua flags=allow-oom
-- Lets a lease begin anew for who holds it.
-- KEYS  1 lease, 2 leases
-- ARGV  1 token, 2 ttl in ms, 3 name of the link
-- reply 1 renewed | 0 not the holder's any more
-- Keeps: JL1. A lease that ran out is not revived.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[2], 'link', ARGV[3])
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
