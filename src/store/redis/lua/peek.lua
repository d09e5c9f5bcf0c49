-- What is due in a shard. ARGV[3]: how many entries of an account at most.
-- ARGV[4]: the account to begin behind, or nothing. ARGV[5]: how many accounts
-- to look at. ARGV[6]: accounts to leave out, one behind the other.
-- Answers the time, the account to go on behind (or nothing), and for each
-- account: itself, 1 if more of it is due, when the next is due (0: never), and
-- the due time, hash and number of each due entry.
local most, behind, accounts = tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local left_out = {}
for at = 1, #ARGV[6], 3 do left_out[sub(ARGV[6], at, at + 2)] = true end
local LAST = string.rep('\255', 14)
local answer = { pack('>I6', now), '' }
while true do
  local from = behind == '' and '-' or '(' .. behind .. LAST
  local first = call('ZRANGEBYLEX', KEYS[3], from, '+', 'LIMIT', 0, 1)[1]
  if not first then break end
  if accounts == 0 then
    answer[2] = behind
    break
  end
  accounts = accounts - 1
  behind = sub(first, 1, 3)
  if not left_out[behind] then
    local due, more, next_due = {}, 0, 0
    local last = '(' .. behind .. LAST
    for _, member in ipairs(call('ZRANGEBYLEX', KEYS[3], '[' .. first, last, 'LIMIT', 0, most + 1)) do
      local due_at = unpack_from('>I6', member, 4)
      if due_at > now then
        next_due = due_at
        break
      end
      if #due == most then
        more = 1
      else
        due[#due + 1] = sub(member, 4)
      end
    end
    if more == 1 then
      local from = '[' .. behind .. pack('>I6', now + 1)
      local member = call('ZRANGEBYLEX', KEYS[3], from, last, 'LIMIT', 0, 1)[1]
      if member then next_due = unpack_from('>I6', member, 4) end
    end
    answer[#answer + 1] = behind .. pack('>BI6', more, next_due) .. table.concat(due)
  end
end
return answer
