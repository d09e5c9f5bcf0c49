-- The records of a shard by the first four bytes of their key, called hash.
-- KEYS: 1 generations, 2 queued, 3 due, 4 age, 5 dead, 6 dead by time, 7 numbers.
local PENDING, QUEUED, DELIVERED, DEAD = 0, 1, 2, 3

local function status(rec) return byte(rec) % 4 end
local function more_follow(rec) return byte(rec) % 32 >= 16 end
local function key_rest(rec) return sub(rec, 3, 14) end
local function expires(rec) return (unpack_from('>I4', rec, 38)) end

-- The end of the part that every record has.
local function fixed(rec) return byte(rec) % 8 >= 4 and 50 or 46 end

-- The SID as the client packs it.
local function sid(rec)
  local flags = byte(rec)
  return char(flags % 16 >= 8 and 1 or 0) .. sub(rec, 15, 30) .. (flags % 8 >= 4 and sub(rec, 47, 50) or '')
end

local function is_live(rec)
  local over = expires(rec)
  return status(rec) == QUEUED or over * 1000 > now or over == NEVER
end

local function with_more(rec, more)
  local flags = byte(rec)
  if (flags % 32 >= 16) == more then return rec end
  return char(more and flags + 16 or flags - 16) .. sub(rec, 2)
end

-- The records of `hash` in one Redis hash: the first under `hash` itself, the
-- others under hash1, hash2 …, and how many those are under hash#.
local function load(key, hash)
  local first = call('HGET', key, hash)
  if not first then return nil end
  local list = { first }
  if more_follow(first) then
    -- Of a bucket that is being dropped some may be gone.
    for i = 1, tonumber(call('HGET', key, hash .. '#') or 0) do
      list[#list + 1] = call('HGET', key, hash .. i) or nil
    end
  end
  return list
end

-- Writes what is left of a list that had `before` records. Deletes first: where
-- memory is short, Redis refuses what adds to it, but not in a script that has
-- begun to write.
local function store(key, hash, list, before)
  local count = #list
  if before > count then
    call('HDEL', key, hash)
    for i = math.max(count, 1), before - 1 do call('HDEL', key, hash .. i) end
    if before > 1 and count < 2 then call('HDEL', key, hash .. '#') end
  end
  if count > 0 then call('HSET', key, hash, with_more(list[1], count > 1)) end
  if count > 1 then
    call('HSET', key, hash .. '#', count - 1)
    for i = 2, count do call('HSET', key, hash .. (i - 1), with_more(list[i], false)) end
  end
end

-- Everything under `hash`, as places { key, list }.
local function places(hash)
  local found = {}
  for i = 1, #gens do
    local key = bucket(gens[i], hash)
    local list = load(key, hash)
    if list then found[#found + 1] = { key = key, list = list } end
  end
  local list = load(KEYS[2], hash)
  if list then found[#found + 1] = { key = KEYS[2], list = list } end
  return found
end

-- The fence of a SID. It outlives what was forgotten, so that its name tells no SID.
local function fence_of(wanted) return base .. 'f' .. sub(redis.sha1hex(wanted), 1, 16) end

-- Whether the claim of a SID with this number was taken over.
local function is_fenced(wanted, number)
  local fence = call('GET', fence_of(wanted))
  return fence and tonumber(fence) > unpack_from('>I6', number)
end

-- Puts a record where it is dropped once it is over.
local function keep(hash, rec, ratio)
  local gen = generation(expires(rec), ratio)
  local key = bucket(gen, hash)
  local list = load(key, hash) or {}
  list[#list + 1] = rec
  store(key, hash, list, 0)
  added(gen, key, #list)
end

-- How finely generations divide the time of what waits, and of what is settled.
local WAITING, SETTLED = 6, 2

local function due_member(hash, rec)
  local from = fixed(rec)
  return sub(rec, 42, 44) .. sub(rec, from + 29, from + 34) .. hash .. sub(rec, from + 19, from + 22)
end

local function age_member(hash, rec)
  local from = fixed(rec)
  return hash .. sub(rec, from + 19, from + 22)
end

-- In the order of SIDs, which the packed ones have only if they are as long.
local function dead_member(hash, rec)
  local packed = sid(rec)
  return packed .. string.rep('\0', 21 - #packed) .. hash
end

-- Takes a record out, and out of whatever points to it.
local function take_out(place, hash, i)
  local rec = table.remove(place.list, i)
  store(place.key, hash, place.list, #place.list + 1)
  if status(rec) == QUEUED then
    call('ZREM', KEYS[3], due_member(hash, rec))
    call('ZREM', KEYS[4], age_member(hash, rec))
  elseif status(rec) == DEAD then
    local member = dead_member(hash, rec)
    call('ZREM', KEYS[5], member)
    call('ZREM', KEYS[6], member)
  end
  return rec
end

-- Replaces a record in its place.
local function replace(place, hash, i, rec)
  place.list[i] = rec
  store(place.key, hash, place.list, #place.list)
end

-- The place and index of the live record of a SID.
local function find(found, wanted)
  local digits = sub(wanted, 2, 17)
  for _, place in ipairs(found) do
    for i, rec in ipairs(place.list) do
      if sub(rec, 15, 30) == digits and is_live(rec) and sid(rec) == wanted then return place, i end
    end
  end
end

-- A record that is new among those found: it comes behind what was sent at the
-- same time, and what its SID had before, over and not dropped yet, must not come
-- back beside it.
local function renewed(found, hash, rec)
  local wanted, rest, sent = sid(rec), key_rest(rec), sub(rec, 31, 37)
  local digits, order = sub(rec, 15, 30), -1
  for _, place in ipairs(found) do
    for at = #place.list, 1, -1 do
      local known = place.list[at]
      if sub(known, 15, 30) == digits and sid(known) == wanted then
        take_out(place, hash, at)
      elseif sub(known, 31, 37) == sent and key_rest(known) == rest then
        order = math.max(order, byte(known, 2))
      end
    end
  end
  return sub(rec, 1, 1) .. char(math.min(order + 1, 255)) .. sub(rec, 3)
end

local function with_status(rec, new)
  local flags = byte(rec)
  return char(flags - flags % 4 + new) .. sub(rec, 2, fixed(rec))
end

-- Puts a record that was taken out into the outbox, due at once. Answers it.
local function enqueue(hash, rec, confirmed_at)
  local number = call('INCR', KEYS[7]) % 4294967296
  rec = with_more(with_status(rec, QUEUED), false)
    .. pack('>I6I6I3I3I4I6I6', confirmed_at, now, 0, 0, number, 0, now)
  local list = load(KEYS[2], hash) or {}
  list[#list + 1] = rec
  store(KEYS[2], hash, list, 0)
  call('ZADD', KEYS[3], 0, due_member(hash, rec))
  call('ZADD', KEYS[4], now, age_member(hash, rec))
  return rec
end

local function confirmed_at(rec) return (unpack_from('>I6', rec, fixed(rec) + 1)) end
