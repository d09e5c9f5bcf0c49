-- Settles leased entries. ARGV[3], ARGV[4]: for how many milliseconds what was
-- delivered and what is dead is kept. ARGV[5…]: hash 4, number 4,
-- token 6, attempts 3, not found 3, a letter, and behind r (retry) the wait 6,
-- behind x (dead) kind 1, status 2 and code 4; d is delivered.
-- Answers a letter for each: Settled, Lost; and behind that hash, the time when
-- it is over, and SID of each that is kept for longer than its index lasts.
local answers, unindexed = {}, {}
for i = 5, #ARGV do
  local item = ARGV[i]
  local hash, how = sub(item, 1, 4), sub(item, 21, 21)
  local answer = 'L'
  local place = { key = KEYS[2], list = load(KEYS[2], hash) or {} }
  for at, rec in ipairs(place.list) do
    local from = fixed(rec)
    if sub(rec, from + 19, from + 22) == sub(item, 5, 8) then
      local token = sub(item, 9, 14)
      if sub(rec, from + 23, from + 28) == token and token ~= '\0\0\0\0\0\0' then
        answer = 'S'
        if how == 'r' then
          call('ZREM', KEYS[3], due_member(hash, rec))
          local due_at = math.min(now + unpack_from('>I6', item, 22), 2 ^ 48 - 1)
          rec = sub(rec, 1, from + 12) .. sub(item, 15, 20) .. sub(rec, from + 19, from + 22)
            .. pack('>I6I6', 0, due_at)
          replace(place, hash, at, rec)
          call('ZADD', KEYS[3], 0, due_member(hash, rec))
        else
          take_out(place, hash, at)
          local indexed = expires(rec)
          local dead = how == 'x'
          local over = math.ceil((now + tonumber(ARGV[dead and 4 or 3])) / 1000)
          over = math.min(over, NEVER)
          local kept = with_status(rec, dead and DEAD or DELIVERED)
          kept = with_more(sub(kept, 1, 37) .. pack('>I4', over) .. sub(kept, 42), false)
            .. sub(rec, from + 1, from + 6) .. pack('>I6', now) .. sub(item, 15, 20)
            .. sub(item, 22)
          keep(hash, kept, SETTLED)
          if dead then
            local member = dead_member(hash, kept)
            call('ZADD', KEYS[5], 0, member)
            call('ZADD', KEYS[6], over, member)
          end
          if over > indexed then
            unindexed[#unindexed + 1] = hash .. pack('>I4', over) .. sid(rec)
          end
        end
      end
      break
    end
  end
  answers[#answers + 1] = answer
end
return { table.concat(answers), unpack(unindexed) }
