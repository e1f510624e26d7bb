-- hold.lua: check everything that limits a team and keep credits aside for one request, all or nothing.
--
-- Also lets time act on up to 8 due holds of the same team first, so that credits come free without a sweeper;
-- those transitions are written whether or not the new hold is admitted.
--
-- KEYS (8, one hash tag)
--   1 team   HASH    timezone, frozen, limits, caps: read here, so a change counts from the next request
--   2 bal    HASH    the team's figures
--   3 use    HASH    counters by scope
--   4 open   HASH    open holds by id
--   5 due    ZSET    open holds by deadline (ms)
--   6 done   HASH    resolved holds of the UTC day in the hold id
--   7 done   HASH    resolved holds of the day before (for the due holds)
--   8 journal STREAM
-- ARGV (14)
--   1 hold id   32 hex digits, the first 12 its time in ms
--   2 amount    micro-credits, 0 .. 9e15
--   3 ttl       ms until the outcome is overdue
--   4 grace     ms an unknown outcome is waited for
--   5 policy    r(elease) | c(harge) | k(eep)
--   6 fingerprint   7 project   8 member   9 key id ('' = none)   10 price list
--   11 meta     small JSON text for the journal
--   12 timezone the zone the windows were computed in
--   13 windows  'start:end:next_end' for hour, day, week, month, joined by ':' (ms)
--   14 day      UTC day number of KEYS[6]
-- Reply, one of
--   {'HELD', amount, available, held, seq, repeated 0|1, reaped}
--   {'REPEAT', state, amount, charged}          same id and fingerprint, no longer simply held
--   {'MISMATCH', state}                         same id, other fingerprint
--   {'REFUSED', available, held, reaped, {code, scope, per, limit, used, held, resets_at, fits_after_release}, ...}
--   {'RETRY_WINDOWS', now, timezone}            windows of another zone, or none of them holds now
--   {'NO_TEAM'}   {'STALE', now}   {'INVALID', what}
--   reaped: what time did to due holds before, {id, 'unknown'|'expire'|'charge'|'keep', amount, seq} each
-- Example
--   EVALSHA <sha> 8 gk:{a}:team gk:{a}:bal gk:{a}:use gk:{a}:open gk:{a}:due gk:{a}:done:20414 gk:{a}:done:20413
--     gk:{a}:j 019aab... 49000000 300000 60000 r 9f2c spring amy ci 1c88 '{}' UTC 1763:1766:...  20414
--   -> {'HELD', '49000000', '441000000', '49000000', '2', '0', {}}

assert(#KEYS == 8, 'hold takes 8 keys')
assert(#ARGV == 14, 'hold takes 14 arguments')

local REAP_MAX = 8

local id, fingerprint, project, member, key = ARGV[1], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local amount, ttl, grace, day = int(ARGV[2]), int(ARGV[3]), int(ARGV[4]), int(ARGV[14])
if not string.match(id, '^%x+$') or #id ~= 32 then return {'INVALID', 'hold id'} end
if not amount then return {'INVALID', 'amount'} end
if not ttl or not grace then return {'INVALID', 'ttl or grace'} end
if not string.match(ARGV[5], '^[rck]$') then return {'INVALID', 'policy'} end
local w = {string.match(ARGV[13], '^(%d+)' .. string.rep(':(%d+)', 11) .. '$')}
if not w[1] then return {'INVALID', 'windows'} end
local id_ms = tonumber(string.sub(id, 1, 12), 16)
if not day or math.floor(id_ms / DAY_MS) ~= day then return {'INVALID', 'day'} end

local team = redis.call('HMGET', KEYS[1], 'timezone', 'frozen', 'limits', 'cap_per_request', 'cap_open_holds',
  'cap_held_credits')
if not team[1] then return {'NO_TEAM'} end
local book = read_book({bal = KEYS[2], use = KEYS[3], open = KEYS[4], due = KEYS[5], journal = KEYS[8]})
local now = book.now

-- Seen before?
local raw_open, raw_done = redis.call('HGET', KEYS[4], id), redis.call('HGET', KEYS[6], id)
if raw_open then
  local r = parse_record(raw_open)
  if r.fingerprint ~= fingerprint then return {'MISMATCH', r.state} end
  if r.state == 'H' then return {'HELD', str(r.amount), str(available(book)), str(book.held), r.seq, '1', {}} end
  return {'REPEAT', r.state, str(r.amount), '0'}
end
if raw_done then
  local d = parse_done(raw_done)
  if d.fingerprint ~= fingerprint then return {'MISMATCH', d.state} end
  return {'REPEAT', d.state, str(d.amount), str(d.charged)}
end
if now - id_ms > ID_AGE_MAX_MS or id_ms - now > DAY_MS then return {'STALE', str(now)} end

-- Which window of each period is it?
if team[1] ~= ARGV[12] then return {'RETRY_WINDOWS', str(now), team[1]} end
local starts, ends = {}, {}
for p = 1, 4 do
  local from, to, next_to = tonumber(w[3 * p - 2]), tonumber(w[3 * p - 1]), tonumber(w[3 * p])
  if now >= from and now < to then
    starts[p], ends[p] = from, to
  elseif now >= to and now < next_to then
    starts[p], ends[p] = to, next_to
  else
    return {'RETRY_WINDOWS', str(now), team[1]}
  end
end

-- Due holds of this team whose day is declared here; the sweeper takes the others.
local reaped = {}
redis.call('HLEN', KEYS[7])
for _, due_id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', str(now), 'LIMIT', 0, REAP_MAX)) do
  local due_day = math.floor((tonumber(string.sub(due_id, 1, 12), 16) or 0) / DAY_MS)
  local raw = redis.call('HGET', KEYS[4], due_id)
  local r = raw and parse_record(raw)
  if r and (due_day == day or due_day == day - 1) then
    pass_deadline(book, due_id, r, KEYS[6 + day - due_day], reaped)
  end
end

-- Every check, every failure.
local refusals = {}
local free, held = available(book), book.held
local function refuse(code, scope, per, limit, used, scope_held, resets_at, fits)
  refusals[#refusals + 1] =
    {code, scope, per, str(limit), str(used), str(scope_held), str(resets_at), fits and '1' or '0'}
end

if team[2] == '1' then refuse('team_frozen', 'team', '', 0, 0, held, 0, false) end
local cap = int(team[4])
if cap and amount > cap then refuse('request_cap_exceeded', 'team', 'per_request', cap, 0, 0, 0, false) end
cap = int(team[5])
if cap and book.open + 1 > cap then
  refuse('concurrency_exceeded', 'team', 'open_holds', cap, 0, book.open, 0, cap >= 1)
end
cap = int(team[6])
if cap and held + amount > cap then
  refuse('concurrency_exceeded', 'team', 'held_credits', cap, 0, held, 0, amount <= cap)
end
if amount > 0 and amount > free then
  refuse('insufficient_credits', 'team', '', book.granted - book.expired, book.charged, held, 0, amount <= free + held)
end

local fields = scope_fields(project, member, key)
read_scopes(book, fields)
-- A window never moves back: if two gateways disagree where it begins (time zone data of different age, a team that
-- changed its zone), the later start counts for both, or each would set the other's counters to zero.
for p = 1, 4 do
  local newest = book.scopes.team[3 * p]
  if newest > starts[p] and newest <= now then starts[p] = newest end
end
local mine = {team = 'team'}
for _, field in ipairs(fields) do
  mine[field] = field
  mine[string.match(field, '^%l+')] = field
end
local limits, named = {}, {}
for scope, per, credits in string.gmatch(team[3] or '', '([^\t\n]+)\t(%l+)\t(%d+)\n') do
  limits[#limits + 1] = {scope, per, tonumber(credits)}
  if string.find(scope, ':', 1, true) then named[scope .. '\t' .. per] = true end
end
local PERIODS = {hour = 1, day = 2, week = 3, month = 4}
for _, limit in ipairs(limits) do
  local field, per, credits = mine[limit[1]], limit[2], limit[3]
  local overruled = field and limit[1] ~= field and named[field .. '\t' .. per]
  if field and not overruled then
    local scope, p = book.scopes[field], PERIODS[per]
    local used, scope_held, resets_at = scope[1], scope[2], 0
    if p then
      used, scope_held, resets_at = 0, 0, ends[p]
      if scope[3 * p] == starts[p] then used, scope_held = scope[3 * p + 1], scope[3 * p + 2] end
    end
    if used + scope_held + amount > credits then
      refuse('limit_exceeded', field, per, credits, used, scope_held, resets_at, used + amount <= credits)
    end
  end
end

if #refusals > 0 then
  flush(book)
  return {'REFUSED', str(free), str(held), reaped, unpack(refusals)}
end

-- Admitted: the last decisions are made, now the book changes.
for _, field in ipairs(fields) do
  local scope = book.scopes[field]
  for p = 1, 4 do
    if scope[3 * p] ~= starts[p] then
      scope[3 * p], scope[3 * p + 1], scope[3 * p + 2] = starts[p], 0, 0
    end
  end
end
move_scopes(book, fields, starts, amount, 0)
book.held, book.open = book.held + amount, book.open + 1
local windows = starts_text(starts)
local seq = append(book, 'hold', id, {
  amount = amount, project = project, member = member, key = key, windows = windows, price_list = ARGV[10],
  meta = ARGV[11],
})
later(book, 'HSET', KEYS[4], id, format_record({
  state = 'H', amount = amount, grace = grace, policy = ARGV[5], seq = str(seq), at = str(now), starts = starts,
  project = project, member = member, key = key, fingerprint = fingerprint, price_list = ARGV[10],
}))
later(book, 'ZADD', KEYS[5], str(now + ttl), id)
flush(book)
return {'HELD', str(amount), str(available(book)), str(book.held), str(seq), '0', reaped}
