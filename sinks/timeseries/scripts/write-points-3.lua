-- Upserts points of one shard of a series, all or none.
-- KEYS  1 fence, 2 index, 3 newest, 4 … buckets (callers raise the key count by the number of buckets)
-- ARGV  1 <job> <operator>, 2 generation, 3 now (epoch ms), 4 time to live in ms, 5 series keys remembered at most,
--       then per point: 6 number of its bucket (1 = KEYS 4), 7 series key, 8 window start, 9 the point
-- reply {'ok'} | {'fenced', generation that holds, 0 = none}
-- Keeps: nothing is written under a generation that is not the newest one; index and newest have the same members;
-- newest has the point of the latest window, whatever the order of arrival. A repeated call changes nothing.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held ~= ARGV[2] then return {'fenced', tonumber(held or '0')} end
local now, ttl, keysMax = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
for i = 6, #ARGV, 4 do
  local key, start, point = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  redis.call('HSET', KEYS[3 + tonumber(ARGV[i])], start, point)
  local newest = redis.call('HGET', KEYS[3], key)
  if not newest or tonumber(string.match(newest, '^(-?%d+):')) <= tonumber(start) then
    redis.call('HSET', KEYS[3], key, start .. ':' .. point)
  end
  redis.call('ZADD', KEYS[2], ARGV[3], key)
end
for i = 2, #KEYS do redis.call('PEXPIRE', KEYS[i], ttl) end

-- Forgets a bounded number of keys per call, the ones idle longest first.
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', now - ttl), 'LIMIT', 0, 256)
local over = redis.call('ZCARD', KEYS[2]) - #gone - keysMax
if over > 0 then
  for _, key in ipairs(redis.call('ZRANGE', KEYS[2], #gone, #gone + math.min(over, 256) - 1)) do table.insert(gone, key) end
end
for _, key in ipairs(gone) do
  redis.call('ZREM', KEYS[2], key)
  redis.call('HDEL', KEYS[3], key)
end
return {'ok'}
