-- Answers the entries of the outbox, the dead letters, an estimate of the other
-- messages, when the oldest entry was queued (or nothing), and the time.
local LOOKS = 16
local others = 0
for i = 1, #gens do
  local gen = gens[i]
  local looks = math.min(gen.buckets, LOOKS)
  local seen = 0
  for look = 0, looks - 1 do
    seen = seen + call('HLEN', gen.keys .. floor(look * gen.buckets / looks))
  end
  others = others + seen / looks * gen.buckets
end
local dead = call('ZCARD', KEYS[5]) - call('ZCOUNT', KEYS[6], '-inf', floor(math.min(now / 1000, NEVER - 1)))
local oldest = call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')[2] or ''
return { call('ZCARD', KEYS[3]), dead, floor(others + 0.5), oldest, pack('>I6', now) }
