#!lua flags=allow-oom
-- Drops frames that no registered job needs or, when none is registered, that retention no longer covers.
-- KEYS  1 stream, 2 meta
-- ARGV  1 now (epoch ms), 2 frames to look at in one call
-- reply {records dropped, 1 when there may be more to drop} | {'NOTOPIC'}
-- Keeps: the start only rises, lies between two frames, and is never above a registered offset.
local meta, wanted = {}, nil
local flat = redis.call('HGETALL', KEYS[2])
for i = 1, #flat, 2 do
  meta[flat[i]] = flat[i + 1]
  if string.sub(flat[i], 1, 2) == 'j:' then
    local at = tonumber(string.match(flat[i + 1], ' (%d+)$'))
    wanted = math.min(wanted or at, at)
  end
end
if not meta['end'] then return {'NOTOPIC'} end
local start, finish = tonumber(meta['start']), tonumber(meta['end'])

local function field(entry, name)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == name then return entry[2][i + 1] end
  end
end
local function offsetOf(entry) return tonumber(string.match(entry[1], '^(%d+)')) end

local keep, more = nil, 0 -- keep: the first entry that stays, nil when none does
if wanted then
  if wanted < finish then
    keep = redis.call('XREVRANGE', KEYS[1], string.format('%.0f-1', wanted), '-', 'COUNT', 1)[1]
    if not keep then return {0, 0} end
  end
else
  local retainBytes, retainMs = tonumber(meta['retainBytes']), tonumber(meta['retainMs'])
  if not retainBytes and not retainMs then return {0, 0} end
  local lowest = retainBytes and tonumber(meta['bytes']) - retainBytes or 0
  local oldest = retainMs and tonumber(ARGV[1]) - retainMs or 0
  local seen, from = 0, '-'
  repeat
    local entry = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1)[1]
    if not entry then break end
    if tonumber(field(entry, 'b')) >= lowest and tonumber(field(entry, 't')) >= oldest then
      keep = entry
      break
    end
    seen, from = seen + 1, '(' .. entry[1]
    if seen == tonumber(ARGV[2]) then
      keep, more = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 1)[1], 1
      break
    end
  until false
end

local rise = keep and offsetOf(keep) or finish
if rise <= start then return {0, 0} end
redis.call('XTRIM', KEYS[1], 'MINID', '=', string.format('%.0f-0', rise))
redis.call('HSET', KEYS[2], 'start', string.format('%.0f', rise),
  'low', keep and field(keep, 'b') or meta['bytes'], 'startChain', keep and field(keep, 'c') or meta['chain'])
return {rise - start, more}
