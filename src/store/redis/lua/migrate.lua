-- Creates the description of the data, or raises its version. KEYS[1]: it.
-- ARGV: version, the oldest version that can read it, shards. Answers what it
-- says then: version, readable from, shards.
local known = redis.call('HMGET', KEYS[1], 'version', 'compatible_from', 'shards')
if not known[1] then
  redis.call('HSET', KEYS[1], 'version', ARGV[1], 'compatible_from', ARGV[2], 'shards', ARGV[3])
elseif tonumber(known[1]) < tonumber(ARGV[1]) then
  redis.call('HSET', KEYS[1], 'version', ARGV[1], 'compatible_from', ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'version', 'compatible_from', 'shards')
