#!lua flags=allow-oom
-- Gives up the workers that were silent for too long, and lists the others.
-- KEYS  1 alive, 2 info, 3 load, 4 gone
-- ARGV  1 ms that an id is remembered as given up, 2 how many such at most
-- reply {id, description, load, ms until it counts as dead, id, …}
-- Keeps: WR1, WR2. alive, info and load have the same members.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000.0 + math.floor(tonumber(time[2]) / 1000)
local nowText = string.format('%.0f', now)
local dead = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', nowText)
for i = 1, #dead do
  redis.call('ZREM', KEYS[1], dead[i])
  redis.call('HDEL', KEYS[2], dead[i])
  redis.call('HDEL', KEYS[3], dead[i])
  redis.call('ZADD', KEYS[4], nowText, dead[i])
end
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', string.format('%.0f', now - tonumber(ARGV[1])))
redis.call('ZREMRANGEBYRANK', KEYS[4], 0, string.format('%.0f', -tonumber(ARGV[2]) - 1))
local list, alive = {}, redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #alive, 2 do
  table.insert(list, alive[i])
  table.insert(list, redis.call('HGET', KEYS[2], alive[i]))
  table.insert(list, redis.call('HGET', KEYS[3], alive[i]))
  table.insert(list, string.format('%.0f', tonumber(alive[i + 1]) - now))
end
return list
