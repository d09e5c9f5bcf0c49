-- Counters of the report. KEYS[1]: the batch of a writer that was added last. KEYS[2…]:
-- the periods. ARGV[1]: which batch this is. ARGV[2]: how long it may be repeated, in
-- milliseconds since the epoch. ARGV[3…], in fours: the number of a period among the
-- keys, until when it is kept, a segment, and what to add, as "number:count,…".
-- Answers 1, or 0 if the batch was added before.
local last = redis.call('GET', KEYS[1])
if last and tonumber(last) >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PXAT', ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 3, #ARGV, 4 do
  local key, segment = KEYS[tonumber(ARGV[i]) + 1], ARGV[i + 2]
  local counts = {}
  local function add(text)
    for number, count in string.gmatch(text, '(%d+):(-?%d+)') do
      counts[number] = (counts[number] or 0) + tonumber(count)
    end
  end
  add(redis.call('HGET', key, segment) or '')
  add(ARGV[i + 3])
  local texts = {}
  for number, count in pairs(counts) do
    if count ~= 0 then texts[#texts + 1] = number .. ':' .. string.format('%.0f', count) end
  end
  table.sort(texts)
  redis.call('HSET', key, segment, table.concat(texts, ','))
  local left = redis.call('PTTL', key)
  if left < 0 or now + left < tonumber(ARGV[i + 1]) then
    redis.call('PEXPIREAT', key, ARGV[i + 1])
  end
end
return 1
