-- Gives names numbers of a few bytes. KEYS: 1 names by number, 2 numbers by
-- name. ARGV[1]: how many bytes. ARGV[2…]: the number a name would like to have,
-- then the name. Answers the number of each, or nothing if there is none left.
local width = tonumber(ARGV[1])
local all = 256 ^ width
local format = '>I' .. width
local answers = {}
for i = 2, #ARGV, 2 do
  local name = ARGV[i + 1]
  local number = redis.call('HGET', KEYS[2], name)
  if not number then
    number = ''
    local wish = tonumber(ARGV[i])
    if redis.call('HLEN', KEYS[1]) < all - 1 then
      for try = 0, 4096 do
        local free = struct.pack(format, (wish + try) % all)
        if redis.call('HSETNX', KEYS[1], free, name) == 1 or redis.call('HGET', KEYS[1], free) == name then
          redis.call('HSET', KEYS[2], name, free)
          number = free
          break
        end
      end
    end
  end
  answers[#answers + 1] = number
end
return answers
