#!lua flags=allow-oom
-- Raises the fence of one sink of one job beside one shard of a series and, for the first caller of a generation, undoes what older
-- generations changed after the checkpoint that this one starts from.
-- KEYS  1 fence, 2 noted, 3 hours, 4 undo log; besides its intervals and the pages they name, made here of KEYS 4 and ARGV 5,
--       which lie in the same slot
-- ARGV  1 <job> <operator>, 2 generation, 3 first barrier interval to undo, 4 time to live in ms, 5 what a page's key begins with
-- reply the generation that holds now; another than ARGV 2 means that the caller is fenced
-- Keeps: the fence never falls; noted and hours have the same members; after the call nothing is left to undo from ARGV 3 on.
local held = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if tonumber(ARGV[2]) <= held then return held end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])

local function undoField(page, field, value)
  if value == '' then
    redis.call('HDEL', page, field)
  elseif redis.call('EXISTS', page) == 1 then -- else it has expired since, and stays so
    redis.call('HSET', page, field, value)
  end
end

local function undoNote(key, before)
  if before == '' then
    redis.call('HDEL', KEYS[3], key)
    redis.call('ZREM', KEYS[2], key)
  else
    local score, hour = string.match(before, '^(%S+) (%S+)$')
    redis.call('HSET', KEYS[3], key, hour)
    redis.call('ZADD', KEYS[2], score, key)
  end
end

for _, seq in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[4], '+inf', ARGV[3])) do
  local interval = KEYS[4] .. ':' .. seq
  local changed = redis.call('HGETALL', interval)
  for i = 1, #changed, 2 do
    local page, field = string.match(changed[i], '^p(%S+) (.*)$')
    if page then
      undoField(ARGV[5] .. page, field, changed[i + 1])
    else
      undoNote(string.sub(changed[i], 2), changed[i + 1])
    end
  end
  redis.call('UNLINK', interval)
  redis.call('ZREM', KEYS[4], seq)
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
return tonumber(ARGV[2])
