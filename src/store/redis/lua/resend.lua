-- Puts dead letters back into the outbox. ARGV[3…]: hash and SID.
-- Answers a letter for each: Queued, Not dead; and behind that hash and SID of
-- each that may be queued for longer than its index lasts.
local answers, unindexed = {}, {}
for i = 3, #ARGV do
  local hash, wanted = sub(ARGV[i], 1, 4), sub(ARGV[i], 5)
  local answer = 'N'
  local place, at = find(places(hash), wanted)
  if place and status(place.list[at]) == DEAD then
    local rec = take_out(place, hash, at)
    enqueue(hash, rec, confirmed_at(rec))
    unindexed[#unindexed + 1] = hash .. wanted
    answer = 'Q'
  end
  answers[#answers + 1] = answer
end
return { table.concat(answers), unpack(unindexed) }
