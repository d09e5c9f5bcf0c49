-- What all processes shall know. KEYS[1]: what the names of a shard's notes begin with.
-- ARGV: a letter and a key 16; for k then until when, in milliseconds, 8, and the value.
-- k keeps, g looks. Answers of each the time 8 and the value as they were before, or
-- nothing.
local answers = {}
for i = 1, #ARGV do
  local item = ARGV[i]
  local name = KEYS[1] .. string.sub(item, 2, 17)
  local known = redis.call('GET', name) or ''
  if string.sub(item, 1, 1) == 'k' then
    local over = struct.unpack('>I8', item, 18)
    if known ~= '' then over = math.max(over, (struct.unpack('>I8', known))) end
    local note = struct.pack('>I8', over) .. string.sub(item, 26)
    redis.call('SET', name, note, 'PXAT', string.format('%.0f', over))
  end
  answers[#answers + 1] = known
end
return answers
