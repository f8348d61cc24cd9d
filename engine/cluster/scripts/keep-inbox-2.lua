#!lua flags=allow-oom
-- Lets go of what the reader has read, keeps the inbox from running out, and says whether it is still the one that was read.
-- KEYS  1 stream, 2 meta
-- ARGV  1 entries read, 2 chain after them, 3 bytes up to there, 4 ttl in ms
-- reply {'ok'} | {'lost', end}
-- Keeps: CT4. Nothing unread goes; a late copy changes nothing.
local facts = redis.call('HMGET', KEYS[2], 'end', 'chain', 'read')
local finish, position = tonumber(facts[1] or '0'), tonumber(ARGV[1])
if finish < position or (finish == position and (facts[2] or '') ~= ARGV[2]) then return {'lost', finish} end
if tonumber(ARGV[3]) > tonumber(facts[3] or '0') then
  redis.call('XTRIM', KEYS[1], 'MINID', string.format('%.0f-0', position + 1))
  redis.call('HSET', KEYS[2], 'read', ARGV[3])
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[4])
return {'ok'}
