-- Remembers which service each sender sends for. KEYS[1]: services by sender. ARGV[1]:
-- how many senders at most. ARGV[2…]: a sender's key, then the service. Answers a
-- letter for each: Learned, Known, Full.
local answers = {}
for i = 2, #ARGV, 2 do
  local sender, service = ARGV[i], ARGV[i + 1]
  local known = redis.call('HGET', KEYS[1], sender)
  if known == service then
    answers[#answers + 1] = 'K'
  elseif not known and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[1]) then
    answers[#answers + 1] = 'F'
  else
    redis.call('HSET', KEYS[1], sender, service)
    answers[#answers + 1] = 'L'
  end
end
return { table.concat(answers) }
