-- Completes a bundle.
-- KEYS  1 bundle
-- ARGV  1 how many chunks it has
-- reply 1 complete | 0 chunks are missing
-- Keeps: BU1, BU2.
if redis.call('HEXISTS', KEYS[1], 'chunks') == 1 then return 1 end
if redis.call('HLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'chunks', ARGV[1])
redis.call('PERSIST', KEYS[1])
return 1
