-- Makes a partition known, or leaves it as it is.
-- KEYS  1 meta
-- ARGV  1 quota bytes, 2 retained bytes ('' = no bound), 3 retained ms ('' = no bound)
-- reply 1 when it was made, 0 when it was there
-- Keeps: ends, bytes and chain of an existing partition are never reset.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'quota', ARGV[1], 'retainBytes', ARGV[2], 'retainMs', ARGV[3],
  'start', '0', 'startChain', '', 'low', '0', 'end', '0', 'chain', '', 'bytes', '0', 'staged', '0')
return 1
