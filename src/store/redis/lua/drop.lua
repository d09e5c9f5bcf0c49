-- Drops generations that are over, where no TTL does it. ARGV[3]: how many fields
-- at most. Answers how many went.
local limit = tonumber(ARGV[3])
local left, kept = limit, {}

-- Answers whether all of the bucket went.
local function drop_bucket(key)
  local fields = call('HLEN', key)
  if fields <= left then
    if fields > 0 then call('UNLINK', key) end
    left = left - fields
    return true
  end
  for at, field in ipairs(call('HKEYS', key)) do
    if at > left then break end
    call('HDEL', key, field)
  end
  left = 0
  return false
end

for i = 1, #gens do
  local gen = gens[i]
  local gone = gen.ends + SLACK <= now
  for at = 0, gone and gen.buckets - 1 or -1 do
    if not drop_bucket(gen.keys .. at) then
      gone = false
      break
    end
  end
  if not gone then kept[#kept + 1] = gen end
end
if #kept ~= #gens then
  gens = kept
  list_generations()
end
return limit - left
