-- Removes all that is known of a target. ARGV[3…]: k and a key, or s, hash and
-- SID. Answers for each: hash and SID of each message it had.
local answers = {}
for i = 3, #ARGV do
  local hash, rest = sub(ARGV[i], 2, 5), sub(ARGV[i], 6)
  local by_key = sub(ARGV[i], 1, 1) == 'k'
  local answer = {}
  for _, place in ipairs(places(hash)) do
    for at = #place.list, 1, -1 do
      local rec = place.list[at]
      if (by_key and key_rest(rec) or sid(rec)) == rest then
        local live = is_live(rec)
        take_out(place, hash, at)
        if live then answer[#answer + 1] = hash .. sid(rec) end
      end
    end
  end
  answers[#answers + 1] = answer
end
return answers
