-- How far messages were delivered. KEYS[1]: the generations of that. ARGV[3]: for how
-- many milliseconds it outlives its message. ARGV[4…]: a letter and the SID's digest
-- 12; for s then the status 1, its error code or zero 4, and when the message is over,
-- in seconds 4.
-- s moves the status forward, g looks, d removes it. Answers status and error code of
-- each as they were before, or nothing.
local answers = {}
for i = 4, #ARGV do
  local item = ARGV[i]
  local how, digest, field = sub(item, 1, 1), sub(item, 2, 5), sub(item, 6, 13)
  local places, known, ends = {}, '', 0
  for g = 1, #gens do
    local key = bucket(gens[g], digest)
    local found = call('HGET', key, field)
    if found then
      places[#places + 1] = key
      if known == '' or byte(found) > byte(known) then known = found end
      ends = math.max(ends, gens[g].ends)
    end
  end
  local forward = how == 's' and (known == '' or byte(known) < byte(item, 14))
  if forward or how == 'd' then
    for _, key in ipairs(places) do call('HDEL', key, field) end
  end
  if forward then
    local over = math.max(unpack_from('>I4', item, 19), floor(now / 1000))
    -- What is kept for longer is not cut short.
    over = math.max(over + math.ceil(ARGV[3] / 1000), floor(ends / 1000) - 1)
    local gen = generation(math.min(over, NEVER), 6)
    local key = bucket(gen, digest)
    call('HSET', key, field, sub(item, 14, 18))
    added(gen, key, 0)
  end
  answers[#answers + 1] = known
end
return answers
