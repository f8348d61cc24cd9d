#!lua flags=allow-oom
-- Deletes one blob that decideCollect has given up.
-- KEYS  1 control, 2 blobs, 3 the blob
-- ARGV  1 field in blobs
-- reply bytes freed, 0 when it is gone already
-- Keeps: control.blobBytes is the sum of blobs, and a blob exists exactly while its field does.
local bytes = redis.call('HGET', KEYS[2], ARGV[1])
if not bytes then return 0 end
redis.call('UNLINK', KEYS[3])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[1], 'blobBytes', -tonumber(bytes))
return tonumber(bytes)
