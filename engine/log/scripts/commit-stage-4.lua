#!lua flags=allow-oom
-- Moves staged frames to the end of the partition, once per (sink, seq).
-- KEYS  1 stream, 2 meta, 3 stages, 4 stage
-- ARGV  1 sink, 2 seq, 3 stage field, 4 now (epoch ms), 5 bytes to move in one call, 6 and 7 sink and seq of the commit before this one, or ''
-- reply {'DONE'} | {'MORE'} call again | {'ALREADY'} | {'MISSING'} | {'BEHIND'} the commit before is not there | {'NOTOPIC'}
-- Keeps: commits come in the order in which they were made, also when a fail-over has lost one and the next one is sent again;
-- a frame is in the stage or in the stream, never in both; what is left in the stage is what is left to do.
-- It works over maxmemory, because a published checkpoint must be able to land, and needs no more memory than the stage had.
local meta = redis.call('HMGET', KEYS[2], 'end', 'chain', 'bytes', 'staged', 'c:' .. ARGV[1])
if not meta[1] then return {'NOTOPIC'} end
if tonumber(ARGV[2]) <= tonumber(meta[5] or '-1') then return {'ALREADY'} end
if ARGV[6] ~= '' and tonumber(redis.call('HGET', KEYS[2], 'c:' .. ARGV[6]) or '-1') < tonumber(ARGV[7]) then return {'BEHIND'} end
local known = redis.call('HGET', KEYS[3], ARGV[3])
if not known then return {'MISSING'} end

local offset, chain, bytes, moved = tonumber(meta[1]), meta[2], tonumber(meta[3]), 0
local limit = tonumber(ARGV[5])
while moved < limit do
  local item = redis.call('LPOP', KEYS[4], 3)
  if not item then break end
  local size = #item[3]
  redis.call('XADD', KEYS[1], string.format('%.0f-1', offset),
    'f', item[3], 'c', chain, 'b', string.format('%.0f', bytes), 't', ARGV[4])
  offset, bytes, moved = offset + tonumber(item[1]), bytes + size, moved + size
  chain = string.sub(redis.sha1hex(chain .. item[2]), 1, 16)
end
local done = redis.call('EXISTS', KEYS[4]) == 0
redis.call('HSET', KEYS[2], 'end', string.format('%.0f', offset), 'chain', chain, 'bytes', string.format('%.0f', bytes),
  'staged', string.format('%.0f', tonumber(meta[4]) - moved))
if not done then
  local parts, left = string.match(known, '^(%d+) (%d+)$')
  redis.call('HSET', KEYS[3], ARGV[3], string.format('%s %.0f', parts, tonumber(left) - moved))
  return {'MORE'}
end
redis.call('HDEL', KEYS[3], ARGV[3])
redis.call('HSET', KEYS[2], 'c:' .. ARGV[1], ARGV[2])
return {'DONE'}
