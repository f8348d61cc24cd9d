#!lua flags=allow-oom
-- Writes something, so that WAIT and WAITAOF on this connection speak of everything written before.
-- KEYS  1 any key of its own
-- ARGV  none
-- reply OK
-- allow-oom: waiting for a checkpoint to be durable must work while the log is full. The value never grows.
return redis.call('SET', KEYS[1], '1')
