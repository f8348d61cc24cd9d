#!lua flags=allow-oom
-- Forgets one manifest; its blobs wait for collection.
-- KEYS  1 kept, 2 manifests
-- ARGV  1 id
-- reply how many there were, 0 or 1
-- Keeps: kept and manifests have the same fields.
redis.call('HDEL', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
