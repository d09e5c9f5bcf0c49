-- Drops dead letters whose time is over. ARGV[3]: how many at most. Answers how
-- many.
local members = call('ZRANGEBYSCORE', KEYS[6], '-inf', floor(math.min(now / 1000, NEVER - 1)), 'LIMIT', 0, ARGV[3])
for _, member in ipairs(members) do
  local hash = sub(member, 22)
  for _, place in ipairs(places(hash)) do
    for at = #place.list, 1, -1 do
      local rec = place.list[at]
      if status(rec) == DEAD and not is_live(rec) and dead_member(hash, rec) == member then
        take_out(place, hash, at)
      end
    end
  end
  call('ZREM', KEYS[5], member)
  call('ZREM', KEYS[6], member)
end
return #members
