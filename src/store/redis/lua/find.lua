-- What is known. ARGV[3…]: k and a key, s, hash and SID, or o, hash and SID for
-- records that are over, too. Answers the records of each.
local answers = {}
for i = 3, #ARGV do
  local hash, rest = sub(ARGV[i], 2, 5), sub(ARGV[i], 6)
  local how = sub(ARGV[i], 1, 1)
  local answer = {}
  for _, place in ipairs(places(hash)) do
    for _, rec in ipairs(place.list) do
      if (how == 'k' and key_rest(rec) or sid(rec)) == rest and (how == 'o' or is_live(rec)) then
        answer[#answer + 1] = rec
      end
    end
  end
  answers[#answers + 1] = answer
end
return answers
