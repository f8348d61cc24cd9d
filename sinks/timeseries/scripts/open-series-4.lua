#!lua flags=allow-oom
-- Raises the fence of one sink of one job beside one shard of a series and, for the first caller of a generation, undoes what older
-- generations changed after the checkpoint that this one starts from.
-- KEYS  1 fence, 2 index, 3 newest, 4 undo log; besides its intervals and the buckets they name, made here of KEYS 4 and ARGV 5,
--       which lie in the same slot
-- ARGV  1 <job> <operator>, 2 generation, 3 first barrier interval to undo, 4 time to live in ms, 5 what a bucket's key begins with
-- reply the generation that holds now; another than ARGV 2 means that the caller is fenced
-- Keeps: the fence never falls; index and newest have the same members; after the call nothing is left to undo from ARGV 3 on.
local held = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) <= held then return held end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])

local function undoPoint(start, key, point)
  local bucket = string.format('%s%.0f:%s', ARGV[5], math.floor(tonumber(start) / 3600000), key)
  if point == '' then
    redis.call('HDEL', bucket, start)
  elseif redis.call('EXISTS', bucket) == 1 then -- else it has expired since, and stays so
    redis.call('HSET', bucket, start, point)
  end
end

local function undoNewest(key, before)
  if before == '' then
    redis.call('HDEL', KEYS[3], key)
    redis.call('ZREM', KEYS[2], key)
  else
    local score, newest = string.match(before, '^(%S+) (.*)$')
    redis.call('HSET', KEYS[3], key, newest)
    redis.call('ZADD', KEYS[2], score, key)
  end
end

for _, seq in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[4], '+inf', ARGV[3])) do
  local interval = KEYS[4] .. ':' .. seq
  local changed = redis.call('HGETALL', interval)
  for i = 1, #changed, 2 do
    local start, key = string.match(changed[i], '^p(-?%d+) (.*)$')
    if start then
      undoPoint(start, key, changed[i + 1])
    else
      undoNewest(string.sub(changed[i], 2), changed[i + 1])
    end
  end
  redis.call('UNLINK', interval)
  redis.call('ZREM', KEYS[4], seq)
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
return tonumber(ARGV[2])
