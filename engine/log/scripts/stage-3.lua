#!lua
-- Puts frames of one sink beside the partition, where no reader sees them.
-- KEYS  1 meta, 2 stages, 3 stage
-- ARGV  1 sink, 2 seq, 3 stage field (<sink>:<seq>), 4 generation, 5 part, 6 stage bytes at most,
--       then for each frame: records, CRC as 8 hex digits, frame
-- reply {'OK'} | {'FENCED', generation} | {'COMMITTED', seq} | {'GAP', part} | {'FULL', bytes, quota} | {'OVERSTAGE', bytes}
--       | {'NOTOPIC'}
-- Keeps: parts of a stage are applied once and in order; staged bytes count against the quota, so a commit never meets it.
local meta = redis.call('HMGET', KEYS[1], 'quota', 'bytes', 'low', 'staged', 'g:' .. ARGV[1], 'c:' .. ARGV[1])
if not meta[1] then return {'NOTOPIC'} end
local generation, part = tonumber(ARGV[4]), tonumber(ARGV[5])
if generation < tonumber(meta[5] or '0') then return {'FENCED', tonumber(meta[5])} end
if tonumber(ARGV[2]) <= tonumber(meta[6] or '-1') then return {'COMMITTED', tonumber(meta[6])} end

local parts, bytes = 0, 0
local known = redis.call('HGET', KEYS[2], ARGV[3])
if known then
  local p, b = string.match(known, '^(%d+) (%d+)$')
  parts, bytes = tonumber(p), tonumber(b)
end
if part > 0 and part < parts then return {'OK'} end
if part > 0 and part > parts then return {'GAP', parts} end

local staged = tonumber(meta[4])
if part == 0 then
  staged, bytes = staged - bytes, 0
end
local added = 0
for i = 9, #ARGV, 3 do added = added + #ARGV[i] end
if bytes + added > tonumber(ARGV[6]) then return {'OVERSTAGE', bytes + added} end
local stored = tonumber(meta[2]) - tonumber(meta[3]) + staged
if stored + added > tonumber(meta[1]) then return {'FULL', stored, tonumber(meta[1])} end

if part == 0 then redis.call('DEL', KEYS[3]) end
for i = 7, #ARGV, 3 do redis.call('RPUSH', KEYS[3], ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
redis.call('HSET', KEYS[2], ARGV[3], string.format('%.0f %.0f', part + 1, bytes + added))
redis.call('HSET', KEYS[1], 'staged', string.format('%.0f', staged + added), 'g:' .. ARGV[1], ARGV[4])
return {'OK'}
