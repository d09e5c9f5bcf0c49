-- Keeps records out whose claim was taken over or removed. ARGV[3…]: hash 4, the
-- number of that 6, SID. Answers a letter for each: Present, if it is recorded
-- already, or Fenced.
local answers = {}
for i = 3, #ARGV do
  local hash, number, wanted = sub(ARGV[i], 1, 4), unpack_from('>I6', ARGV[i], 5), sub(ARGV[i], 11)
  if find(places(hash), wanted) then
    answers[#answers + 1] = 'P'
  else
    -- For longer than any command is under way. An older one that comes late must
    -- not let back in what a newer one keeps out.
    local key = fence_of(wanted)
    call('SET', key, math.max(number, tonumber(call('GET', key) or 0)), 'PX', 3600000)
    answers[#answers + 1] = 'F'
  end
end
return { table.concat(answers) }
