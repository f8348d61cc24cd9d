#!lua flags=allow-oom
-- Stores one immutable blob; decideUpload of protocol.ts.
-- KEYS  1 control, 2 blobs, 3 the blob
-- ARGV  1 token, 2 generation, 3 field in blobs, 4 bytes reserved for all blobs, 5 the bytes
-- reply {'write'} | {'already'} | {'taken'} | {'fenced', 'token' | 'generation'} | {'no-space', bytes stored}
-- Keeps: CP1; control.blobBytes is the sum of blobs, and a blob exists exactly while its field does.
-- allow-oom, bounded by ARGV 4: a log that fills the server must not block the checkpoint that would free it.
local facts = redis.call('HMGET', KEYS[1], 'token', 'generation', 'blobBytes')
if facts[1] ~= ARGV[1] then return {'fenced', 'token'} end
if facts[2] ~= ARGV[2] then return {'fenced', 'generation'} end
if redis.call('HEXISTS', KEYS[2], ARGV[3]) == 1 then
  return {redis.call('GET', KEYS[3]) == ARGV[5] and 'already' or 'taken'}
end
local stored = tonumber(facts[3] or '0')
if stored + #ARGV[5] > tonumber(ARGV[4]) then return {'no-space', stored} end
redis.call('SET', KEYS[3], ARGV[5])
redis.call('HSET', KEYS[2], ARGV[3], #ARGV[5])
redis.call('HINCRBY', KEYS[1], 'blobBytes', #ARGV[5])
return {'write'}
