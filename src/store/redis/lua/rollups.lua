-- The counters of the periods KEYS. Answers of each the segments and their counts in turn.
local answers = {}
for i, key in ipairs(KEYS) do answers[i] = redis.call('HGETALL', key) end
return answers
