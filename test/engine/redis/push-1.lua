-- Appends to a list.
-- KEYS  1 list
-- ARGV  1 value
-- reply its length
return redis.call('RPUSH', KEYS[1], ARGV[1])
