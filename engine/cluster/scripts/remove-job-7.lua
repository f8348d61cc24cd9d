#!lua flags=allow-oom
-- Forgets a job that nobody coordinates.
-- KEYS  1 lease, 2 leases, 3 desired, 4 commands, 5 pending, 6 settled, 7 status
-- ARGV  none
-- reply 1 forgotten, or was not there | 0 it has a coordinator
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
for i = 2, 7 do redis.call('UNLINK', KEYS[i]) end
return 1
