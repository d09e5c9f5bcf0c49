-- What is known. ARGV[3…]: k and a key, or s, hash and SID. Answers the records
-- of each.
local answers = {}
for i = 3, #ARGV do
  local hash, rest = sub(ARGV[i], 2, 5), sub(ARGV[i], 6)
  local by_key = sub(ARGV[i], 1, 1) == 'k'
  local answer = {}
  for _, place in ipairs(places(hash)) do
    for _, rec in ipairs(place.list) do
      if (by_key and key_rest(rec) or sid(rec)) == rest and is_live(rec) then
        answer[#answer + 1] = rec
      end
    end
  end
  answers[#answers + 1] = answer
end
return answers
