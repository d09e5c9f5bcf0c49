-- Entries of the outbox that wait for long, so that their index may end.
-- ARGV[3]: the place in the line to begin at. ARGV[4]: how many. ARGV[5]: how
-- old they are at least, in milliseconds. Answers the place to go on at (0: from
-- the start), and hash and SID of each.
local from, count = tonumber(ARGV[3]), tonumber(ARGV[4])
local members = call('ZRANGE', KEYS[4], from, from + count - 1, 'WITHSCORES')
local answer = { 0 }
for i = 1, #members, 2 do
  if tonumber(members[i + 1]) > now - tonumber(ARGV[5]) then return answer end
  local hash, number = sub(members[i], 1, 4), sub(members[i], 5, 8)
  for _, rec in ipairs(load(KEYS[2], hash) or {}) do
    local at = fixed(rec)
    if sub(rec, at + 19, at + 22) == number then answer[#answer + 1] = hash .. sid(rec) end
  end
end
if #members == 2 * count then answer[1] = from + count end
return answer
