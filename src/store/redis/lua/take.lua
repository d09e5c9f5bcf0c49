-- Leases entries. ARGV[3]: for how long, in milliseconds. ARGV[4…]: what is
-- listed as due. Answers the time, and the record of each or nothing, if it is
-- another's by now.
local answer, token = { pack('>I6', now) }, nil
local until_ = math.min(now + tonumber(ARGV[3]), 2 ^ 48 - 1)
for i = 4, #ARGV do
  local member, rec = ARGV[i], ''
  local hash, number = sub(member, 10, 13), sub(member, 14, 17)
  if unpack_from('>I6', member, 4) <= now and call('ZREM', KEYS[3], member) == 1 then
    for at, known in ipairs(load(KEYS[2], hash) or {}) do
      local from = fixed(known)
      if sub(known, from + 19, from + 22) == number then
        token = token or call('INCR', KEYS[7])
        rec = sub(known, 1, from + 22) .. pack('>I6I6', token, until_)
        local key = at == 1 and hash or hash .. (at - 1)
        call('HSET', KEYS[2], key, rec)
        call('ZADD', KEYS[3], 0, due_member(hash, rec))
      end
    end
  end
  answer[#answer + 1] = rec
end
return answer
