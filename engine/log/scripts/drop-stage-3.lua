#!lua flags=allow-oom
-- Deletes one stage.
-- KEYS  1 meta, 2 stages, 3 stage
-- ARGV  1 sink, 2 stage field, 3 generation
-- reply {'OK'} also when there is none | {'FENCED', generation}
-- Keeps: staged bytes are those of the stages that exist.
local meta = redis.call('HMGET', KEYS[1], 'staged', 'g:' .. ARGV[1])
if tonumber(ARGV[3]) < tonumber(meta[2] or '0') then return {'FENCED', tonumber(meta[2])} end
local known = redis.call('HGET', KEYS[2], ARGV[2])
if not known then return {'OK'} end
redis.call('UNLINK', KEYS[3])
redis.call('HDEL', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], 'staged', string.format('%.0f', tonumber(meta[1]) - tonumber(string.match(known, ' (%d+)$'))))
return {'OK'}
