-- Upserts points of one shard of a series, all or none, and keeps what they were at the last barrier.
-- KEYS  1 fence, 2 index, 3 newest, 4 undo log, 5 its interval before, 6 its interval,
--       7 … buckets (callers raise the key count by the number of buckets)
-- ARGV  1 <job> <operator>, 2 generation, 3 now (epoch ms), 4 time to live in ms, 5 series keys remembered at most,
--       6 barrier interval, 7 highest interval that nothing will undo any more,
--       then per point: 8 number of its bucket (1 = KEYS 7), 9 series key, 10 window start, 11 the point
-- reply {'ok'} | {'fenced', generation that holds, 0 = none}
-- An interval of the undo log: 'p<start> <series key>' → the point before, '' for none;
--       'n<series key>' → '<score in index> <value in newest>' before, '' for none
-- Keeps: nothing is written under a generation that is not the newest one; index and newest have the same members;
-- newest has the point of the latest window, whatever the order of arrival. A repeated call changes nothing.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held ~= ARGV[2] then return {'fenced', tonumber(held or '0')} end
local now, ttl, keysMax = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
redis.call('ZADD', KEYS[4], ARGV[6], ARGV[6])
for i = 8, #ARGV, 4 do
  local key, start, point = ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local bucket = KEYS[6 + tonumber(ARGV[i])]
  redis.call('HSETNX', KEYS[6], 'p' .. start .. ' ' .. key, redis.call('HGET', bucket, start) or '')
  redis.call('HSET', bucket, start, point)
  local newest = redis.call('HGET', KEYS[3], key)
  if redis.call('HEXISTS', KEYS[6], 'n' .. key) == 0 then
    redis.call('HSET', KEYS[6], 'n' .. key, newest and (redis.call('ZSCORE', KEYS[2], key) or ARGV[3]) .. ' ' .. newest or '')
  end
  if not newest or tonumber(string.match(newest, '^(-?%d+):')) <= tonumber(start) then
    redis.call('HSET', KEYS[3], key, start .. ':' .. point)
  end
  redis.call('ZADD', KEYS[2], ARGV[3], key)
end
for i = 2, #KEYS do redis.call('PEXPIRE', KEYS[i], ttl) end

for _, seq in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', ARGV[7])) do
  redis.call('UNLINK', KEYS[4] .. ':' .. seq)
  redis.call('ZREM', KEYS[4], seq)
end

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
