-- Lists dead letters in the order of their SIDs. ARGV[3]: to begin behind it, or
-- nothing. ARGV[4]: how many at most. Answers SID and hash of each.
local answer, limit = {}, tonumber(ARGV[4])
local from = ARGV[3] == '' and '-' or '(' .. ARGV[3] .. '\255\255\255\255\255'
while #answer < limit do
  local members = call('ZRANGEBYLEX', KEYS[5], from, '+', 'LIMIT', 0, limit)
  for _, member in ipairs(members) do
    local over = call('ZSCORE', KEYS[6], member)
    if over and (over * 1000 > now or tonumber(over) == NEVER) and #answer < limit then answer[#answer + 1] = member end
  end
  if #members < limit then break end
  from = '(' .. members[#members]
end
return answer
