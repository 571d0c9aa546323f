-- Counts one transaction of an account once and answers with the account's past, as shared/domain/history.py defines.
--
-- KEYS: known     the marker, the account's layout: missing or older where the account must be loaded from the books
--                 before it is observed
--       events    sorted set, id by time: the single events that are kept
--       places    hash, id -> "lat lon"
--       merchants sorted set, merchant by the time it was first seen
--       categories the same of merchant categories
--       hours     UTC days, each with its number of events and the sums of their clock hands
--       refused   hash, bucket of time -> the rate limiter's count of refusals
--       amounts   sorted set, id by time: the kept events in this currency
--       so_far    hash, id -> totals of its currency and UTC day before it
--       days      hash, UTC day -> totals of this currency
-- ARGV: id, time, amount, log amount, place, merchant, category (empty for none), cosine and sine of the clock hand
-- Answers with numbers packed as doubles; where the account must be loaded counts nothing and answers with an
-- integer: 0 where it has no keys, 1 where it has keys without the marker, 2 where the marker is older.
-- Totals are four numbers (count, amount, log, log squared). All numbers are integers below 2^53, so doubles are exact.
-- The header that the loader puts before this text declares the constants in capitals.

local known, events, places, merchants, categories, hours, refused, amounts, so_far, days = unpack(KEYS)
local id, at, amount, log = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local place, merchant, category, cosine, sine = ARGV[5], ARGV[6], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local day = math.floor(at / DAY)
local TOTALS, HOUR_TOTALS, HOUR_BYTES, CHUNK, NAN = '<dddd', 'I4I4dd', 24, 500, 0 / 0

if redis.call('EXPIRE', known, KEPT_SECONDS) == 0 then return redis.call('EXISTS', events) end
if tonumber(redis.call('GET', known)) < LAYOUT then return 2 end

local function exclusive(bound)
  return string.format('(%.0f', bound)
end

local function time_at_rank(rank)
  return tonumber(redis.call('ZRANGE', events, rank, rank, 'WITHSCORES')[2])
end

-- Single events from the floor on are kept: the last KEPT_RAW, and the KEPT_NEWEST newest.
local newest = time_at_rank(-1) or 0
local tenth = time_at_rank(-KEPT_NEWEST)
local floor = tenth and math.min(newest - KEPT_RAW, tenth) or 0
local oldest = math.floor(newest / DAY) - KEPT_DAYS

local function forget(index, by_id)
  local old = redis.call('ZRANGEBYSCORE', index, '-inf', exclusive(floor))
  if #old == 0 then return end
  for first = 1, #old, CHUNK do
    redis.call('HDEL', by_id, unpack(old, first, math.min(first + CHUNK - 1, #old)))
  end
  redis.call('ZREMRANGEBYSCORE', index, '-inf', exclusive(floor))
end

-- A late event stands before these, in its own day: they now have it before them.
local function add_to_later(first, last)
  for from = first, last, CHUNK do
    local ids = redis.call('ZRANGE', amounts, from, math.min(from + CHUNK - 1, last))
    local packed, changed = redis.call('HMGET', so_far, unpack(ids)), {}
    for i, later in ipairs(ids) do
      local c, a, l, s = struct.unpack(TOTALS, packed[i])
      changed[2 * i - 1], changed[2 * i] = later, struct.pack(TOTALS, c + 1, a + amount, l + log, s + log * log)
    end
    redis.call('HSET', so_far, unpack(changed))
  end
end

local function count_amount(in_order)
  local whole = redis.call('HGET', days, day) or struct.pack(TOTALS, 0, 0, 0, 0)
  local before = whole
  redis.call('ZADD', amounts, at, id)
  if not in_order then
    local next = redis.call('ZRANK', amounts, id) + 1
    local last = redis.call('ZCOUNT', amounts, '-inf', exclusive((day + 1) * DAY)) - 1
    if next <= last then
      before = redis.call('HGET', so_far, redis.call('ZRANGE', amounts, next, next)[1])
      add_to_later(next, last)
    end
  end
  redis.call('HSET', so_far, id, before)
  local c, a, l, s = struct.unpack(TOTALS, whole)
  redis.call('HSET', days, day, struct.pack(TOTALS, c + 1, a + amount, l + log, s + log * log))
end

local function first_seen(seen, name)
  return tonumber(redis.call('ZSCORE', seen, name) or nil)
end

local merchant_first = first_seen(merchants, merchant)
local category_first = category ~= '' and first_seen(categories, category)

local function see(seen, name, first, most)
  if first and at < first or not first and redis.call('ZCARD', seen) < most then
    redis.call('ZADD', seen, at, name)
  end
end

-- Whether it was seen before now, and how many were.
local function before(seen, first)
  return first and first < at and 1 or 0, redis.call('ZCOUNT', seen, '-inf', exclusive(at))
end

local packed_hours = redis.call('GET', hours) or ''
local by_day = {struct.unpack('<' .. string.rep(HOUR_TOTALS, #packed_hours / HOUR_BYTES), packed_hours)}

-- The bytes of some of its values.
local function bytes(from, to)
  return string.sub(packed_hours, (from - 1) / 4 * HOUR_BYTES + 1, to / 4 * HOUR_BYTES)
end

-- The clock hands of the month's days before the transaction's.
local function hour_totals()
  local count, cosines, sines, first = 0, 0, 0, math.max(day - MONTH_DAYS + 1, oldest)
  for i = 1, #by_day - 1, 4 do
    if by_day[i] < day and by_day[i] >= first then
      count, cosines, sines = count + by_day[i + 1], cosines + by_day[i + 2], sines + by_day[i + 3]
    end
  end
  return count, cosines, sines
end

-- One day's record in place of its former one, or behind the others, of which the first may be too old by now.
local function add_hour()
  local first, own = 1, #by_day
  while first < #by_day and by_day[first] < oldest do first = first + 4 end
  for i = first, #by_day - 1, 4 do
    if by_day[i] == day then own = i end
  end
  local count, cosines, sines = unpack(by_day, own + 1, own + 3)
  local record = struct.pack('<' .. HOUR_TOTALS, day, (count or 0) + 1, (cosines or 0) + cosine, (sines or 0) + sine)
  redis.call('SET', hours, bytes(first, own - 1) .. record .. bytes(own + 4, #by_day - 1))
end

-- Week and month up to the transaction's day, `today` included, and the amount of the day before.
local function totals(today)
  local month, week, yesterday = {struct.unpack(TOTALS, today)}, {struct.unpack(TOTALS, today)}, 0
  local packed, gone = redis.call('HGETALL', days), {}
  for i = 1, #packed, 2 do
    local each = tonumber(packed[i])
    if each < oldest then
      gone[#gone + 1] = packed[i]
    elseif each < day and each > day - MONTH_DAYS then
      local c, a, l, s = struct.unpack(TOTALS, packed[i + 1])
      month = {month[1] + c, month[2] + a, month[3] + l, month[4] + s}
      if each > day - WEEK_DAYS then week = {week[1] + c, week[2] + a, week[3] + l, week[4] + s} end
    end
    if each == day - 1 then yesterday = select(2, struct.unpack(TOTALS, packed[i + 1])) end
  end
  if #gone > 0 then redis.call('HDEL', days, unpack(gone)) end
  return week, month, yesterday
end

local function amount_of_last_day(today, yesterday)
  local first = redis.call('ZRANGEBYSCORE', amounts, exclusive(at - DAY), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local _, up_to_now = struct.unpack(TOTALS, today)
  local _, up_to_first = struct.unpack(TOTALS, redis.call('HGET', so_far, first[1]))
  return up_to_now - up_to_first + (tonumber(first[2]) < day * DAY and yesterday or 0)
end

local function count_since(rank, width)
  return rank - redis.call('ZCOUNT', events, '-inf', at - width)
end

local function last_event(rank)
  if rank == 0 then return -1, NAN, NAN end
  local last = redis.call('ZRANGE', events, rank - 1, rank - 1, 'WITHSCORES')
  local lat, lon = string.match(redis.call('HGET', places, last[1]) or '', '(%S+) (%S+)')
  return tonumber(last[2]), tonumber(lat) or NAN, tonumber(lon) or NAN
end

-- Of the last hour by Redis' clock, whatever time the transaction claims.
local function refusals()
  local counted, total = redis.call('HGETALL', refused), 0
  if #counted == 0 then return 0 end
  local now = math.floor(redis.call('TIME')[1] / REFUSAL_BUCKET_SECONDS)
  for i = 1, #counted, 2 do
    if tonumber(counted[i]) > now - REFUSAL_BUCKETS then total = total + counted[i + 1] end
  end
  return total
end

local function answer(late, counts, amount_24h, week, month, last)
  local knows_merchant, merchants_before = before(merchants, merchant_first)
  local knows_category, categories_before = before(categories, category_first)
  local hours_count, cosines, sines = hour_totals()
  return struct.pack('<' .. string.rep('d', 24), late, counts[1], counts[2], counts[3], amount_24h,
    week[1], week[2], week[3], week[4], month[1], month[2], month[3], month[4],
    knows_merchant, merchants_before, knows_category, categories_before, hours_count, cosines, sines,
    refusals(), last[1], last[2], last[3])
end

-- As long as the marker, which is refreshed by every call.
local function keep()
  for _, key in ipairs({events, places, merchants, categories, hours, amounts, so_far, days}) do
    redis.call('EXPIRE', key, KEPT_SECONDS)
  end
end

forget(events, places)
forget(amounts, so_far)
local counted = redis.call('ZSCORE', events, id)
local elsewhere = counted and (tonumber(counted) ~= at or not redis.call('HGET', so_far, id))
local late = at < floor or day <= oldest
if not counted then
  see(merchants, merchant, merchant_first, MAX_MERCHANTS)
  if category ~= '' then see(categories, category, category_first, MAX_CATEGORIES) end
end
if late or elsewhere then
  keep()
  local week, month = totals(struct.pack(TOTALS, 0, 0, 0, 0))
  return answer(late and 1 or 0, {0, 0, 0}, 0, week, month, {-1, NAN, NAN})
end
if not counted then
  redis.call('ZADD', events, at, id)
  if place ~= '' then redis.call('HSET', places, id, place) end
  count_amount(at > newest)
  add_hour()
end
keep()
local rank = redis.call('ZRANK', events, id)
local today = redis.call('HGET', so_far, id)
local week, month, yesterday = totals(today)
return answer(0, {count_since(rank, FIVE_MINUTES), count_since(rank, HOUR), count_since(rank, DAY)},
  amount_of_last_day(today, yesterday), week, month, {last_event(rank)})
