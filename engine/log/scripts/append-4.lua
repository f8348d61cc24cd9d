-- Appends one frame at the end of a partition, exactly once.
-- KEYS  1 stream, 2 meta, 3 producers, 4 producer order
-- ARGV  1 producer, 2 epoch, 3 prev, 4 first, 5 last, 6 records, 7 CRC as 8 hex digits, 8 now (epoch ms),
--       9 producers remembered at most, 10 frame
-- reply {'OK', offset} | {'DUP', last} | {'GAP', expected} | {'FENCED', epoch} | {'FULL', bytes, quota}
--       | {'OVERQUOTA', quota} | {'NOTOPIC'}
-- Keeps: entry ids are dense (<first offset>-1; 0-0 is not an id), bytes and chain count every entry ever appended,
-- and each producer's sequence has neither holes nor repetitions. A producer that is not known starts at sequence 1,
-- so one that was forgotten (the least recently appending goes first) meets GAP, never a silent duplicate.
local meta = redis.call('HMGET', KEYS[2], 'quota', 'end', 'chain', 'bytes', 'low', 'staged')
if not meta[1] then return {'NOTOPIC'} end
local producer, frame = ARGV[1], ARGV[10]
local epoch, prev, last = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])

local known = redis.call('HGET', KEYS[3], producer)
local knownEpoch, knownLast = -1, 0
if known then
  local e, l = string.match(known, '^(%d+) (%d+)$')
  knownEpoch, knownLast = tonumber(e), tonumber(l)
end
if epoch < knownEpoch then return {'FENCED', knownEpoch} end
if epoch > knownEpoch then knownLast = 0 end
if last <= knownLast then return {'DUP', knownLast} end
if prev ~= knownLast then return {'GAP', knownLast + 1} end

local quota, bytes, size = tonumber(meta[1]), tonumber(meta[4]), #frame
if size > quota then return {'OVERQUOTA', quota} end
local stored = bytes - tonumber(meta[5]) + tonumber(meta[6])
if stored + size > quota then return {'FULL', stored, quota} end

local offset = tonumber(meta[2])
redis.call('XADD', KEYS[1], string.format('%.0f-1', offset), 'f', frame, 'c', meta[3], 'b', meta[4], 't', ARGV[8])
local finish = string.format('%.0f', offset + tonumber(ARGV[6]))
redis.call('HSET', KEYS[2], 'end', finish, 'bytes', string.format('%.0f', bytes + size),
  'chain', string.sub(redis.sha1hex(meta[3] .. ARGV[7]), 1, 16))
redis.call('HSET', KEYS[3], producer, ARGV[2] .. ' ' .. ARGV[5])
redis.call('ZADD', KEYS[4], finish, producer)
if not known and redis.call('ZCARD', KEYS[4]) > tonumber(ARGV[9]) then
  redis.call('HDEL', KEYS[3], redis.call('ZPOPMIN', KEYS[4])[1])
end
return {'OK', offset}
