-- Which hashes claim a SID; the last of them has it. KEYS: 1 the generations of
-- the index, 2 a number that rises whenever a claim is repeated, taken over, or
-- about to be removed.
-- ARGV[3…]: a letter, the SID's digest 7 and the hash 4; then for c, t and p until
-- when in seconds 4, for d the number 6.
-- c claims what nobody has. t takes over. p lets a claim last until that time,
-- l until a time that is far off. x is about to remove one, and d does if the
-- number is still that of x. g looks.
-- Answers the number 6 and the hashes behind it, the one that has the SID last.
local LONG = 30 * 24 * 3600
local number = tonumber(call('GET', KEYS[2]) or 0)

local function read(field, digest)
  local places, list, ends = {}, '', 0
  for i = 1, #gens do
    local key = bucket(gens[i], digest)
    local value = call('HGET', key, field)
    if value then
      places[#places + 1] = key
      list = list .. value
      ends = math.max(ends, gens[i].ends)
    end
  end
  return places, list, ends
end

local function write(places, field, digest, list, until_)
  for _, key in ipairs(places) do call('HDEL', key, field) end
  if list == '' then return end
  local gen = generation(math.min(until_, NEVER), 6)
  local key = bucket(gen, digest)
  call('HSET', key, field, list)
  added(gen, key, 0)
end

local function without(list, hash)
  for at = #list - 3, 1, -4 do
    if sub(list, at, at + 3) == hash then list = sub(list, 1, at - 1) .. sub(list, at + 4) end
  end
  return list
end

local answers = {}
for i = 3, #ARGV do
  local item = ARGV[i]
  local how, digest, field = sub(item, 1, 1), sub(item, 2, 8), sub(item, 6, 8)
  local hash = sub(item, 9, 12)
  local places, list, ends = read(field, digest)
  local others = without(list, hash)
  if how == 'x' then
    -- Once for all of them, or they would look like repeated claims to each other.
    if i == 3 then number = call('INCR', KEYS[2]) end
  elseif how == 'd' then
    if number == unpack_from('>I6', item, 13) and others ~= list then
      write(places, field, digest, others, ends / 1000 - 1)
      list = others
    end
  elseif how ~= 'g' then
    local until_ = how == 'l' and floor(now / 1000) + LONG or unpack_from('>I4', item, 13)
    -- What others need is not cut short.
    local longest = list == '' and until_ or math.max(until_, ends / 1000 - 1)
    if how == 't' or list == '' then
      if how == 't' then number = call('INCR', KEYS[2]) end
      list = others .. hash
      write(places, field, digest, list, longest)
    elseif how == 'c' then
      if sub(list, -4) == hash then
        -- Whoever is about to remove it sees that it is needed again.
        number = call('INCR', KEYS[2])
        if ends < until_ * 1000 then write(places, field, digest, list, until_) end
      end
    elseif others == '' then
      write(places, field, digest, list, until_)
    elseif others ~= list then
      write(places, field, digest, list, longest)
    end
  end
  answers[#answers + 1] = pack('>I6', number) .. list
end
return answers
