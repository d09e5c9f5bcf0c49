-- Moves messages into the outbox. ARGV[3]: 1 if the answer waits for replicas.
-- ARGV[4…], by the first letter: n and a key (the newest under it), a and a key
-- (all under it), s, hash and SID (that one), m, hash, number of its claim and
-- record (that one, recorded here if it is not yet).
-- Answers a letter for each: Queued, Already confirmed, Unknown, Refused because
-- the claim was taken over; and behind that the SID behind its hash of each message that is queued for longer,
-- perhaps, than its index lasts.
local answers, unindexed = {}, {}
local SCHEDULED, INDEXED = 60000, 3600000

local function queue(hash, rec)
  if expires(rec) * 1000 <= now + INDEXED then unindexed[#unindexed + 1] = hash .. sid(rec) end
  enqueue(hash, rec, now)
end

-- sent at, and what tells apart what was sent at the same time
local function later(a, b)
  local sent_a, sent_b = unpack_from('>i7', a, 31), unpack_from('>i7', b, 31)
  if sent_a ~= sent_b then return sent_a > sent_b end
  return byte(a, 2) > byte(b, 2)
end

local function newest(hash, rest)
  local place, index, best, best_sent
  for _, candidate in ipairs(places(hash)) do
    for i, rec in ipairs(candidate.list) do
      if key_rest(rec) == rest and is_live(rec) then
        local sent = unpack_from('>i7', rec, 31) < now + SCHEDULED
        if not best or (sent and not best_sent) or (sent == best_sent and later(rec, best)) then
          place, index, best, best_sent = candidate, i, rec, sent
        end
      end
    end
  end
  if not best then return 'U' end
  if status(best) ~= PENDING then return 'A' end
  queue(hash, take_out(place, hash, index))
  return 'Q'
end

local function all(hash, rest)
  local answer, taken = 'U', {}
  for _, place in ipairs(places(hash)) do
    for i = #place.list, 1, -1 do
      local rec = place.list[i]
      if key_rest(rec) == rest and is_live(rec) then
        if status(rec) == PENDING then
          taken[#taken + 1] = take_out(place, hash, i)
        elseif answer == 'U' then
          answer = 'A'
        end
      end
    end
  end
  table.sort(taken, function(a, b) return later(b, a) end)
  for _, rec in ipairs(taken) do queue(hash, rec) end
  return #taken > 0 and 'Q' or answer
end

local function one(hash, wanted, fresh, number)
  local found = places(hash)
  local place, index = find(found, wanted)
  if not place then
    if not fresh then return 'U' end
    if is_fenced(wanted, number) then return 'R' end
    queue(hash, renewed(found, hash, fresh))
    return 'Q'
  end
  if status(place.list[index]) ~= PENDING then return 'A' end
  queue(hash, take_out(place, hash, index))
  return 'Q'
end

for i = 4, #ARGV do
  local how, hash, rest = sub(ARGV[i], 1, 1), sub(ARGV[i], 2, 5), sub(ARGV[i], 6)
  local answer
  if how == 'n' then
    answer = newest(hash, rest)
  elseif how == 'a' then
    answer = all(hash, rest)
  elseif how == 's' then
    answer = one(hash, rest)
  else
    local rec = sub(rest, 7)
    answer = one(hash, sid(rec), rec, sub(rest, 1, 6))
  end
  if answer == 'A' and ARGV[3] == '1' then
    -- Something for WAIT to wait for: it covers the confirm that came before.
    call('INCR', KEYS[7])
  end
  answers[#answers + 1] = answer
end
return { table.concat(answers), unpack(unindexed) }
