-- Runs the commands that write an account's history, all of them or none; answers whether it did.
--
-- KEYS: known, events, then every key that the commands name
-- ARGV: the condition; then each command, its number of words before it
-- The condition is 'unknown' where the account must have no marker, 'older' where its marker must be of an older
-- layout, else the SHA-1 of its events' ids in order.

local known, events = KEYS[1], KEYS[2]

local function is_as_expected()
  local layout = tonumber(redis.call('GET', known))
  if ARGV[1] == 'unknown' then return not layout end
  if ARGV[1] == 'older' then return layout and layout < LAYOUT end
  return redis.sha1hex(table.concat(redis.call('ZRANGE', events, 0, -1), ' ')) == ARGV[1]
end

if not is_as_expected() then return 0 end
local at = 2
while at < #ARGV do
  local words = tonumber(ARGV[at])
  redis.call(unpack(ARGV, at + 1, at + words))
  at = at + words + 1
end
return 1
