-- Adds a value to two lists and gives their lengths.
-- KEYS  1 and 2 lists
-- ARGV  1 value
return { redis.call('RPUSH', KEYS[1], ARGV[1]), redis.call('RPUSH', KEYS[2], ARGV[1]) }
