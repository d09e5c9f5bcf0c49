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

-- Every place that has something under the field: of this SID, or of others that share
-- its field and, where there are few, its bucket.
local function read(field, digest)
  local places, list = {}, ''
  for i = 1, #gens do
    local key = bucket(gens[i], digest)
    local value = call('HGET', key, field)
    if value then
      places[#places + 1] = { key = key, value = value, ends = gens[i].ends }
      list = list .. value
    end
  end
  return places, list
end

local function without(list, hash)
  for at = #list - 3, 1, -4 do
    if sub(list, at, at + 3) == hash then list = sub(list, 1, at - 1) .. sub(list, at + 4) end
  end
  return list
end

-- When the claim of a hash ends, in seconds.
local function ends_of(places, hash)
  local ends = 0
  for _, place in ipairs(places) do
    if without(place.value, hash) ~= place.value then ends = math.max(ends, place.ends / 1000 - 1) end
  end
  return ends
end

-- Moves the claim of a hash to where it lasts until that time, or removes it. The
-- others stay where they are: in a generation of more buckets theirs is another.
local function write(places, field, digest, hash, until_)
  for _, place in ipairs(places) do
    local rest = without(place.value, hash)
    if rest == '' then
      call('HDEL', place.key, field)
    elseif rest ~= place.value then
      call('HSET', place.key, field, rest)
    end
  end
  if not until_ then return end
  local gen = generation(math.min(until_, NEVER), 6)
  local key = bucket(gen, digest)
  call('HSET', key, field, (call('HGET', key, field) or '') .. hash)
  added(gen, key, 0)
end

local answers = {}
for i = 3, #ARGV do
  local item = ARGV[i]
  local how, digest, field = sub(item, 1, 1), sub(item, 2, 8), sub(item, 6, 8)
  local hash = sub(item, 9, 12)
  local places, list = read(field, digest)
  local others = without(list, hash)
  if how == 'x' then
    -- Once for all of them, or they would look like repeated claims to each other.
    if i == 3 then number = call('INCR', KEYS[2]) end
  elseif how == 'd' then
    if number == unpack_from('>I6', item, 13) and others ~= list then
      write(places, field, digest, hash)
      list = others
    end
  elseif how ~= 'g' then
    local until_ = how == 'l' and floor(now / 1000) + LONG or unpack_from('>I4', item, 13)
    if how == 't' or list == '' then
      if how == 't' then number = call('INCR', KEYS[2]) end
      list = others .. hash
      write(places, field, digest, hash, math.max(until_, ends_of(places, hash)))
    elseif how == 'c' then
      if sub(list, -4) == hash then
        -- Whoever is about to remove it sees that it is needed again.
        number = call('INCR', KEYS[2])
        if ends_of(places, hash) < until_ then write(places, field, digest, hash, until_) end
      end
    elseif others ~= list then
      write(places, field, digest, hash, until_)
    end
  end
  answers[#answers + 1] = pack('>I6', number) .. list
end
return answers
