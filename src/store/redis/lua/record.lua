-- Remembers messages. ARGV[3…]: hash 4, the number of its claim 6, and the pending
-- record of each. Answers a letter for each: Inserted, Present, Other id, Refused
-- because the claim was taken over.
local answers = {}
for i = 3, #ARGV do
  local hash, number, rec = sub(ARGV[i], 1, 4), sub(ARGV[i], 5, 10), sub(ARGV[i], 11)
  local wanted, rest, sent = sid(rec), key_rest(rec), sub(rec, 31, 37)
  local digits = sub(rec, 15, 30)
  local answer, order = nil, -1
  for _, place in ipairs(places(hash)) do
    for at = #place.list, 1, -1 do
      local known = place.list[at]
      if sub(known, 15, 30) == digits and sid(known) == wanted then
        if is_live(known) then
          answer = key_rest(known) == rest and 'P' or 'O'
        else
          -- Over, and not dropped yet: it must not come back beside the new one.
          take_out(place, hash, at)
        end
      elseif sub(known, 31, 37) == sent and key_rest(known) == rest then
        order = math.max(order, byte(known, 2))
      end
    end
  end
  if not answer and is_fenced(wanted, number) then answer = 'R' end
  if not answer then
    keep(hash, char(byte(rec)) .. char(math.min(order + 1, 255)) .. sub(rec, 3), WAITING)
    answer = 'I'
  end
  answers[#answers + 1] = answer
end
return { table.concat(answers) }
