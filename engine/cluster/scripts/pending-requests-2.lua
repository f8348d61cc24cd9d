-- Lists the commands that wait for an answer, in the order in which they came.
-- KEYS  1 commands, 2 pending
-- ARGV  none
-- reply {id, command, id, command, …}
local list, ids = {}, redis.call('ZRANGE', KEYS[2], 0, -1)
for i = 1, #ids do
  table.insert(list, ids[i])
  table.insert(list, redis.call('HGET', KEYS[1], ids[i]))
end
return list
