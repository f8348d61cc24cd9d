#!lua flags=allow-oom
-- Makes an empty stream, so that writers may insist that it is there.
-- KEYS  1 stream
-- ARGV  1 ttl in ms
-- reply 1 made | 0 it was there
-- Keeps: XS1, XS2. The first entry is 0-1, and gone: ids from 1-0 on are free.
local made = 0
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XADD', KEYS[1], '0-1', 'made', '1')
  redis.call('XTRIM', KEYS[1], 'MAXLEN', '0')
  made = 1
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return made
