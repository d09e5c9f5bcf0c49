-- What every script begins with. KEYS[1] lists the generations of one shard;
-- its name without the last letter is what all names of the shard begin with.
-- ARGV[1]: the time in milliseconds, or nothing for the server's.
-- ARGV[2]: how many buckets a first generation has.
--
-- A message's record, big-endian, by byte:
--    1       status (0 pending, 1 queued, 2 delivered, 3 dead) + 4 for a SID
--            with upper case + 8 for MM + 16 for "more records follow"
--            + 32 * version
--    2       tells records of one key apart that were sent at the same time
--    3 - 14  the rest of the key     15 - 30  the SID     31 - 37  sent at
--    38 - 41 expires at, seconds     42 - 44  account     45 - 46  place
--    47 - 50 the SID's upper case, if there is any; then, once confirmed:
--    +0 confirmed at 6  +6 queued at or done at 6  +12 attempts 3  +15 not found 3
--    queued: +18 number 4  +22 token 6  +28 due at 6
--    dead:   +18 kind 1  +19 status 2  +21 code 4
local call = redis.call
local byte, char, sub = string.byte, string.char, string.sub
local pack, unpack_from = struct.pack, struct.unpack
local floor = math.floor

local now = tonumber(ARGV[1])
local by_server = not now
if by_server then
  local time = call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end
local base = sub(KEYS[1], 1, -2)
local kind = ({ g = 'm', i = 's', t = 't' })[sub(KEYS[1], -1)]

-- A bucket is a small hash that Redis keeps as one packed list: about 5 kB of
-- records, 2 kB of the index, 3 kB of statuses. It should have about FILL fields, and
-- makes its generation grow beyond FULL.
local FILL = kind == 'm' and 96 or 192
local FULL = FILL * 1.5
-- How long a bucket outlives its last message, in milliseconds.
local SLACK = 60000

-- An end that four bytes do not hold, and in milliseconds.
local NEVER, FOREVER = 4294967295, 2 ^ 60

local gens = {}

local function generation_from(class, index, buckets)
  local ends = (index + 1) * 2 ^ class
  return {
    class = class, index = index, buckets = buckets,
    ends = ends > NEVER and FOREVER or ends * 1000,
    keys = base .. kind .. class .. '.' .. index .. '.' .. buckets .. ':',
  }
end

do
  local listed = call('GET', KEYS[1]) or ''
  for at = 1, #listed, 9 do
    gens[#gens + 1] = generation_from(unpack_from('>BI4I4', listed, at))
  end
end

local function list_generations()
  local listed = {}
  for i = 1, #gens do
    listed[i] = pack('>BI4I4', gens[i].class, gens[i].index, gens[i].buckets)
  end
  if #listed == 0 then
    call('DEL', KEYS[1])
  else
    call('SET', KEYS[1], table.concat(listed))
  end
end

local function add_generation(class, index, buckets)
  local kept = {}
  for i = 1, #gens do
    -- Without TTLs what ended is dropped by a script of its own.
    if not by_server or gens[i].ends + 2 * SLACK > now then kept[#kept + 1] = gens[i] end
  end
  gens = kept
  local gen = generation_from(class, index, buckets)
  gens[#gens + 1] = gen
  list_generations()
  return gen
end

-- How many buckets to begin with: as many as the generation before would have
-- needed, by a sample of it.
local function buckets_after(class, index)
  local first = tonumber(ARGV[2])
  local entries = 0
  for i = 1, #gens do
    local gen = gens[i]
    if gen.class == class and gen.index == index then
      local looks = math.min(gen.buckets, 4)
      local seen = 0
      for look = 0, looks - 1 do
        seen = seen + call('HLEN', gen.keys .. floor(look * gen.buckets / looks))
      end
      entries = entries + seen / looks * gen.buckets
    end
  end
  if entries == 0 then return first end
  return math.max(math.ceil(entries / FILL), math.ceil(first / 4))
end

-- The generation of what is over at `expires` (in seconds). It lasts a `ratio`th
-- of what is left until then, or up to twice that.
local function generation(expires, ratio)
  local left = expires - floor(now / 1000)
  local class, width = 0, 1
  while width * ratio < left do
    class, width = class + 1, width * 2
  end
  local index = floor(expires / width)
  for i = #gens, 1, -1 do
    if gens[i].class == class and gens[i].index == index then return gens[i] end
  end
  return add_generation(class, index, buckets_after(class, index - 1))
end

-- Which bucket of `gen`; the shard was chosen by the first byte.
local function bucket(gen, hash)
  local _, a, b, c = byte(hash, 1, 4)
  return gen.keys .. (a * 65536 + b * 256 + c) % gen.buckets
end

-- To be called after a field was added to a bucket.
local function added(gen, key, fields_alike)
  local length = call('HLEN', key)
  if length == 1 and by_server and gen.ends < FOREVER then
    call('PEXPIREAT', key, gen.ends + SLACK)
  elseif length > FULL and fields_alike < 8 and gen.buckets < 4194304 then
    -- What has one hash shares a bucket whatever the number of buckets.
    add_generation(gen.class, gen.index, gen.buckets * 4)
  end
end
