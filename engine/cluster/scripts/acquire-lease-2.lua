#!lua flags=allow-oom
-- Takes the lease of a job when nobody holds it.
-- KEYS  1 lease, 2 leases
-- ARGV  1 uuid of this claim, 2 owner (for people), 3 ttl in ms, 4 name of the link
-- reply {'acquired', token} | {'held', token, ms that are left of it, name of the link that it was last renewed by}
-- Keeps: JL1. leases.token is the newest token given, and stays when the lease runs out. Carried out twice it gives the same token,
-- or a newer one when the first has run out meanwhile.
local held = redis.call('GET', KEYS[1])
if held then
  if string.match(held, '^%d+:(.*)$') ~= ARGV[1] then
    return {'held', held, redis.call('PTTL', KEYS[1]), redis.call('HGET', KEYS[2], 'link')}
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return {'acquired', held}
end
local token = string.format('%.0f', redis.call('HINCRBY', KEYS[2], 'count', 1)) .. ':' .. ARGV[1]
redis.call('SET', KEYS[1], token, 'PX', ARGV[3])
redis.call('HSET', KEYS[2], 'token', token, 'owner', ARGV[2], 'link', ARGV[4])
return {'acquired', token}
