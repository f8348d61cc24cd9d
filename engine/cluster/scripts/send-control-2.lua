#!lua flags=allow-oom
-- Puts messages of one sender into an inbox, exactly once and in its order.
-- KEYS  1 stream, 2 meta
-- ARGV  1 sender, 2 its uuid, 3 job, 4 generation, 5 sequence of the first message (from 1), 6 ttl in ms, 7 unread bytes at most,
--       8 bytes that a message counts beside its own, 9 senders at most, 10 … the messages
-- reply {'ok'} | {'fenced', generation} | {'gap', sequence expected} | {'full', unread bytes} | {'crowded'}
-- Keeps: CT1 to CT3. Entry n has the id n-0; meta.chain is the chain after entry meta.end, meta.bytes counts all that ever entered.
-- allow-oom: bounded by ARGV 7, and without it a full log would stop the checkpoints that free it.
local field, generation, first = 's:' .. ARGV[1], tonumber(ARGV[4]), tonumber(ARGV[5])
local known, last = redis.call('HGET', KEYS[2], field), 0
if known then
  local g, uuid, sent = string.match(known, '^(%d+) (%S+) (%d+)$')
  if generation < tonumber(g) or (generation == tonumber(g) and uuid ~= ARGV[2]) then return {'fenced', tonumber(g)} end
  if generation == tonumber(g) then last = tonumber(sent) end
elseif redis.call('HLEN', KEYS[2]) >= tonumber(ARGV[9]) then
  return {'crowded'}
end
local final = first + #ARGV - 10
if final <= last then return {'ok'} end
if first ~= last + 1 then return {'gap', last + 1} end

local facts = redis.call('HMGET', KEYS[2], 'end', 'chain', 'bytes', 'read')
local finish, chain, bytes = tonumber(facts[1] or '0'), facts[2] or '', tonumber(facts[3] or '0')
local unread, size = bytes - tonumber(facts[4] or '0'), 0
for i = 10, #ARGV do size = size + #ARGV[i] + tonumber(ARGV[8]) end
if unread > 0 and unread + size > tonumber(ARGV[7]) then return {'full', unread} end

for i = 10, #ARGV do
  finish, bytes = finish + 1, bytes + #ARGV[i] + tonumber(ARGV[8])
  local after = string.sub(redis.sha1hex(chain .. ' ' .. ARGV[2] .. ' ' .. string.format('%.0f', finish)), 1, 16)
  redis.call('XADD', KEYS[1], string.format('%.0f-0', finish), 's', ARGV[1], 'j', ARGV[3], 'g', ARGV[4],
    'p', chain, 'c', after, 'b', string.format('%.0f', bytes), 'm', ARGV[i])
  chain = after
end
redis.call('HSET', KEYS[2], 'end', string.format('%.0f', finish), 'chain', chain,
  'bytes', string.format('%.0f', bytes), field, ARGV[4] .. ' ' .. ARGV[2] .. ' ' .. string.format('%.0f', final))
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[2], ARGV[6])
return {'ok'}
