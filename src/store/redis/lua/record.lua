-- Remembers messages. ARGV[3…]: hash 4, the number of its claim 6, and the pending
-- record of each. Answers a letter for each: Inserted, Present, Other id, Refused
-- because the claim was taken over.
local answers = {}
for i = 3, #ARGV do
  local hash, number, rec = sub(ARGV[i], 1, 4), sub(ARGV[i], 5, 10), sub(ARGV[i], 11)
  local found, answer = places(hash), nil
  local place, at = find(found, sid(rec))
  if place then
    answer = key_rest(place.list[at]) == key_rest(rec) and 'P' or 'O'
  elseif is_fenced(sid(rec), number) then
    answer = 'R'
  else
    keep(hash, renewed(found, hash, rec), WAITING)
    answer = 'I'
  end
  answers[#answers + 1] = answer
end
return { table.concat(answers) }
