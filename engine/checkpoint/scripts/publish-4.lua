#!lua flags=allow-oom
-- Makes a manifest the newest one and retires what it pushes out; decidePublish of protocol.ts.
-- KEYS  1 control, 2 kept, 3 manifests, 4 blobs
-- ARGV  1 token, 2 generation, 3 id, 4 kind, 5 checkpoints to retain, 6 the manifest, 7 … fields of the blobs it names
-- reply {'publish'} | {'already'} | {'fenced', 'token' | 'generation'} | {'stale', highest published id} | {'incomplete'}
-- Keeps: CP1 to CP4; kept and manifests have the same fields.
local facts = redis.call('HMGET', KEYS[1], 'token', 'generation', 'published')
if facts[1] ~= ARGV[1] then return {'fenced', 'token'} end
if facts[2] ~= ARGV[2] then return {'fenced', 'generation'} end
local id, published = tonumber(ARGV[3]), tonumber(facts[3] or '0')
local before = redis.call('HGET', KEYS[2], ARGV[3])
if before and string.match(before, '^%S+ (.*)$') == ARGV[1] then return {'already'} end
if id <= published then return {'stale', published} end
for first = 7, #ARGV, 1000 do
  local stored = redis.call('HMGET', KEYS[4], unpack(ARGV, first, math.min(first + 999, #ARGV)))
  for i = 1, #stored do
    if not stored[i] then return {'incomplete'} end
  end
end
redis.call('HSET', KEYS[1], 'published', ARGV[3])
-- The counter of ids may have been lost in a fail-over: an id is not given again.
if tonumber(redis.call('HGET', KEYS[1], 'ids') or '0') < id then redis.call('HSET', KEYS[1], 'ids', ARGV[3]) end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4] .. ' ' .. ARGV[1])
redis.call('HSET', KEYS[3], ARGV[3], ARGV[6])

local checkpoints, kept = {}, redis.call('HGETALL', KEYS[2])
for i = 1, #kept, 2 do
  if string.sub(kept[i + 1], 1, 11) == 'checkpoint ' then table.insert(checkpoints, tonumber(kept[i])) end
end
table.sort(checkpoints)
for i = 1, #checkpoints - math.max(1, tonumber(ARGV[5])) do
  local retired = string.format('%.0f', checkpoints[i])
  redis.call('HDEL', KEYS[2], retired)
  redis.call('HDEL', KEYS[3], retired)
end
return {'publish'}
