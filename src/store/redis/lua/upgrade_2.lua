-- Version 2 lines up the entries of the outbox by the time they were queued;
-- version 1 read all of them to find the oldest. ARGV[3]: where the scan of the
-- outbox goes on. Answers where it goes on then; 0: it is done.
local scan = call('HSCAN', KEYS[2], ARGV[3], 'COUNT', 500)
for i = 2, #scan[2], 2 do
  local field, rec = scan[2][i - 1], scan[2][i]
  if sub(field, 5, 5) ~= '#' then
    local hash = sub(field, 1, 4)
    call('ZADD', KEYS[4], unpack_from('>I6', rec, fixed(rec) + 7), age_member(hash, rec))
  end
end
return scan[1]
