-- Which hash the key of a SID has. KEYS[1] lists the generations of the index.
-- ARGV[3…]: a letter, the SID's digest 7 and, but for g, the hash 4 and, but for
-- d, until when in seconds 4.
-- c claims: New, Same, or Other and the hashes that claimed it. t claims whoever
-- did. p moves the hash to that time, l to a time that is far off. g answers the
-- hashes. d removes one.
local function hashes(field, digest)
  local found = {}
  for i = 1, #gens do
    local key = bucket(gens[i], digest)
    local value = call('HGET', key, field)
    if value then found[#found + 1] = { key = key, gen = gens[i], value = value } end
  end
  return found
end

local function remove(place, field, at)
  local rest = sub(place.value, 1, at - 1) .. sub(place.value, at + 4)
  call('HDEL', place.key, field)
  if rest ~= '' then call('HSET', place.key, field, rest) end
end

local function insert(field, digest, hash, until_)
  local gen = generation(until_, 6)
  local key = bucket(gen, digest)
  local value = call('HGET', key, field)
  call('HSET', key, field, (value or '') .. hash)
  added(gen, key, 0)
end

-- As long as an entry of the outbox is indexed at a time, in seconds.
local LONG = 30 * 24 * 3600

local answers = {}
for i = 3, #ARGV do
  local item = ARGV[i]
  local how, digest, field = sub(item, 1, 1), sub(item, 2, 8), sub(item, 6, 8)
  local hash = sub(item, 9, 12)
  local until_ = #item >= 16 and unpack_from('>I4', item, 13)
  if how == 'l' then
    how, until_ = 'p', math.min(floor(now / 1000) + LONG, 4294967295)
  end
  local others, answer = '', nil
  for _, place in ipairs(hashes(field, digest)) do
    for at = #place.value - 3, 1, -4 do
      if sub(place.value, at, at + 3) ~= hash then
        others = others .. sub(place.value, at, at + 3)
      elseif how == 'd' or how == 'p' then
        remove(place, field, at)
      elseif place.gen.ends >= until_ * 1000 then
        answer = 'S'
      else
        remove(place, field, at)
        insert(field, digest, hash, until_)
        answer = 'S'
      end
    end
  end
  if how == 'p' or (how == 't' and not answer) then
    insert(field, digest, hash, until_)
  elseif how == 'g' then
    answer = others
  elseif how == 'c' and not answer then
    if others == '' then
      insert(field, digest, hash, until_)
      answer = 'N'
    else
      answer = 'O' .. others
    end
  end
  answers[#answers + 1] = answer or 'N'
end
return answers
