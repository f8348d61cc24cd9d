#!lua flags=allow-oom
-- Deletes one blob that decideCollect has given up.
-- KEYS  1 control, 2 blobs, 3 the blob
-- ARGV  1 field in blobs, 2 token and 3 highest published id that control had then
-- reply bytes freed, 0 when it is gone already or stays
-- Keeps: control.blobBytes is the sum of blobs, and a blob exists exactly while its field does. RS3: where another has taken over, or
-- a fail-over has lost the newest publication, the blob may be needed.
local facts = redis.call('HMGET', KEYS[1], 'token', 'published')
if facts[1] ~= ARGV[2] or tonumber(facts[2] or '0') < tonumber(ARGV[3]) then return 0 end
local bytes = redis.call('HGET', KEYS[2], ARGV[1])
if not bytes then return 0 end
redis.call('UNLINK', KEYS[3])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[1], 'blobBytes', -tonumber(bytes))
return tonumber(bytes)
