-- Writes points of one shard of a series, all or none, and keeps what was there at the last barrier.
-- KEYS  1 fence, 2 noted, 3 hours, 4 undo log, 5 its interval before, 6 its interval,
--       7 … pages (callers raise the key count by the number of pages)
-- ARGV  1 <job> <operator>, 2 generation, 3 now (epoch ms), 4 time to live in ms, 5 series keys remembered at most,
--       6 barrier interval, 7 highest interval that nothing will undo any more,
--       8 how many series keys are noted, then of each: its name, the hour of its newest point;
--       then per page: how many fields, then of each: its name, which is <window start> <writer>, and records
-- reply {'ok'} | {'fenced', generation that holds, 0 = none}
-- A record: '<bytes of the series key> <bytes of the point> <series key><point>'. A field's value: '<number of the write> ' and its
--       records, one per series key.
-- An interval of the undo log: 'p<hour>:<page> <field>' → the value before, '' for none;
--       'n<series key>' → '<wall time noted> <hour>' before, '' for none
-- Keeps: nothing is written under a generation that is not the newest one; noted and hours have the same members; an hour never
-- falls but by undoing. A repeated call changes nothing but the number of the write.
local held = redis.call('HGET', KEYS[1], ARGV[1])
if held ~= ARGV[2] then return {'fenced', tonumber(held or '0')} end
local now, ttl, keysMax = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local stamp = redis.call('HINCRBY', KEYS[1], 'writes', 1) .. ' '
redis.call('ZADD', KEYS[4], ARGV[6], ARGV[6])
local names, before = {}, {}

-- What is in the field and not in the records that are written stays in front of them.
local function merged(value, records)
  local replaced, at = {}, 1
  while at <= #records do
    local key, point, from = string.match(records, '^(%d+) (%d+) ()', at)
    replaced[string.sub(records, from, from + key - 1)] = true
    at = from + key + point
  end
  local parts = {stamp}
  at = string.find(value, ' ', 1, true) + 1
  while at <= #value do
    local key, point, from = string.match(value, '^(%d+) (%d+) ()', at)
    local behind = from + key + point
    if not replaced[string.sub(value, from, from + key - 1)] then table.insert(parts, string.sub(value, at, behind - 1)) end
    at = behind
  end
  table.insert(parts, records)
  return table.concat(parts)
end

local at = 9 + 2 * tonumber(ARGV[8])
for i = 7, #KEYS do
  local count = tonumber(ARGV[at])
  local page = 'p' .. string.match(KEYS[i], '[^:]*:[^:]*$') .. ' '
  local fields, written = {}, {}
  for n = 1, count do fields[n] = ARGV[at + 2 * n - 1] end
  local values = redis.call('HMGET', KEYS[i], unpack(fields))
  for n = 1, count do
    local records, value = ARGV[at + 2 * n], values[n]
    written[2 * n - 1] = fields[n]
    written[2 * n] = value and merged(value, records) or stamp .. records
    names[#names + 1] = page .. fields[n]
    before[#before + 1] = value or ''
  end
  redis.call('HSET', KEYS[i], unpack(written))
  redis.call('PEXPIRE', KEYS[i], ttl)
  at = at + 1 + 2 * count
end

if ARGV[8] ~= '0' then
  local keys, scores, hours = {}, {}, {}
  for i = 9, 7 + 2 * tonumber(ARGV[8]), 2 do keys[#keys + 1] = ARGV[i] end
  local known = redis.call('HMGET', KEYS[3], unpack(keys))
  for i, key in ipairs(keys) do
    local hour = ARGV[8 + 2 * i]
    names[#names + 1] = 'n' .. key
    before[#before + 1] = known[i] and (redis.call('ZSCORE', KEYS[2], key) or ARGV[3]) .. ' ' .. known[i] or ''
    hours[2 * i - 1], hours[2 * i] = key, known[i] and tonumber(known[i]) > tonumber(hour) and known[i] or hour
    scores[2 * i - 1], scores[2 * i] = ARGV[3], key
  end
  redis.call('HSET', KEYS[3], unpack(hours))
  redis.call('ZADD', KEYS[2], unpack(scores))
end

local kept, changed = redis.call('HMGET', KEYS[6], unpack(names)), {}
for i, name in ipairs(names) do
  if not kept[i] then
    changed[#changed + 1] = name
    changed[#changed + 1] = before[i]
  end
end
if #changed > 0 then redis.call('HSET', KEYS[6], unpack(changed)) end
for i = 2, 6 do redis.call('PEXPIRE', KEYS[i], ttl) end

for _, seq in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', ARGV[7])) do
  redis.call('UNLINK', KEYS[4] .. ':' .. seq)
  redis.call('ZREM', KEYS[4], seq)
end

-- Forgets a bounded number of keys per call, the ones not noted for longest first. Whoever writes notes a key again after a quarter
-- of the ttl.
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('(%.0f', now - 1.25 * ttl), 'LIMIT', 0, 256)
local over = redis.call('ZCARD', KEYS[2]) - #gone - keysMax
if over > 0 then
  for _, key in ipairs(redis.call('ZRANGE', KEYS[2], #gone, #gone + math.min(over, 256) - 1)) do table.insert(gone, key) end
end
for _, key in ipairs(gone) do
  redis.call('ZREM', KEYS[2], key)
  redis.call('HDEL', KEYS[3], key)
end
return {'ok'}
