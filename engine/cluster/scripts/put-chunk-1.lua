-- Stores one chunk of a bundle.
-- KEYS  1 bundle
-- ARGV  1 index of the chunk, 2 its bytes, 3 ms that an unfinished bundle stays
-- reply 1 stored | 0 the bundle is complete already
-- Keeps: BU1, BU2. A bundle that is never completed goes by itself.
if redis.call('HEXISTS', KEYS[1], 'chunks') == 1 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
