-- hold.lua: check everything that limits a team and keep credits aside for one request, all or nothing.
--
-- Also lets time act on up to 8 due holds of the same team first, so that credits come free without a sweeper;
-- those transitions are written whether or not the new hold is admitted.
--
-- KEYS (8, or 12 if the order has a `once`; one hash tag)
--   1 bal    HASH    the team's figures, its rules (read here, so a change counts from the next request), and
--                    counters by scope
--   2 open   HASH    open holds by id
--   3 due    ZSET    open holds by deadline (ms), lots by expiry
--   4 done   HASH    resolved holds of the UTC day in the hold id
--   5 done   HASH    resolved holds of the day before (for the due holds)
--   6 journal STREAM
--   7 usage  HASH    rows of the UTC month of that day (for the due holds)
--   8 usage  HASH    of the month of the day before
--   9 once   HASH    `once` -> hold id, for ids of the same UTC day
--   10 once  HASH    of the day before
--   11 once  HASH    of the day after: two gateways' clocks need not agree when midnight is
--   12 done  HASH    of the day after
-- ARGV (5, or 8 if the order has a `once` or a shadow; each costs the server as much as a line of this script)
--   1 windows   'day;timezone;from:to;starts;ends;next ends': what is the same for an hour. UTC day number of KEYS[4];
--               the zone that the windows (ms) were computed in, the last three for 'hour:day:week:month'; all four are
--               the current ones from `from` (their latest start) to before `to` (their earliest end)
--   2 hold id   32 hex digits, the first 12 its time in ms
--   3 terms     'amount:ttl:grace:policy': micro-credits, 0 .. 9e15; ms until the outcome is overdue; ms an unknown
--               outcome is waited for; r(elease) | c(harge) | k(eep)
--   4 account   project, member, key id ('' = none), fingerprint, price list, and what it is counted under when it
--               ends; a tab between
--   5 meta      small JSON text for the journal
--   6 once      the request's own name, to know it again when it comes under another id ('' = none)
--   7 within    ms: a hold of that name whose id is at most this old is answered in place of a new one (0: none is)
--   8 shadow    '' or why it is let by: then nothing refuses it but a frozen team, or figures that would be too large
-- Reply, one of (the credits of HELD are integers, everything else text)
--   {'HELD', amount, available, held, seq, repeated 0|1, reaped, windows, refusal, ...}
--                                               windows: when the hold's hour, day, week and month began;
--                                               refusals: as below, what a shadow did not let refuse it
--   {'REPEAT', state, amount, charged, hold id} same id and no longer simply held, or same `once`; same fingerprint
--   {'MISMATCH', state, hold id}                same id or `once`, other fingerprint
--   {'REFUSED', available, held, reaped, {code, scope, per, limit, used, held, resets_at, fits_after_release}, ..., now}
--   {'RETRY_WINDOWS', now, timezone}            windows of another zone, or none of them holds now
--   {'NAMES', scope, most}                      a project or member that is new, and the team has so many names
--   {'NO_TEAM'}   {'STALE', now}   {'INVALID', what}
--   reaped: what time did to due holds before, {id, 'unknown'|'expire'|'charge'|'keep', amount, seq} each
-- Example
--   EVALSHA <sha> 8 gk:{a}:bal gk:{a}:open gk:{a}:due gk:{a}:done:20414 gk:{a}:done:20413 gk:{a}:j
--     gk:{a}:usage:2025-11 gk:{a}:usage:2025-11
--     '20414;UTC;1763:1766;1763:1760:...;1766:...;1769:...' 019aab... 49000000:300000:60000:r
--     'spring<tab>amy<tab>ci<tab>9f2c<tab>1c88<tab>m|i|2K||p|' '{}'
--   -> {'HELD', 49000000, 441000000, 49000000, '2', '0', {}, '1763:1760:1759:1750'}

assert(#ARGV == 5 or #ARGV == 8, 'hold takes 5 arguments, with a once or a shadow 8')
assert(#KEYS == ((ARGV[6] or '') == '' and 8 or 12), 'hold takes 8 keys, with a once 12')

local REAP_MAX = '8'
local NAMES_MAX = 50000 -- a checkpoint has room for eight times as many, and beyond it no journal could be cut
local FOUR_EACH = '^%d+;[^;]*;%d+:%d+;%d+:%d+:%d+:%d+;%d+:%d+:%d+:%d+;%d+:%d+:%d+:%d+$'
local ONCE_MS = '172800000' -- a `once` is remembered for 48 h after its day was last written

local windows, id, account = ARGV[1], ARGV[2], ARGV[4]
if not match(id, '^%x+$') or #id ~= 32 then return {'INVALID', 'hold id'} end
local digits, ttl, grace, policy = match(ARGV[3], '^(%d+):(%d+):(%d+):([rck])$')
if not digits then return {'INVALID', 'terms'} end
local amount = digits + 0
if amount > CREDITS_MAX then return {'INVALID', 'amount'} end
if ttl + 0 > CREDITS_MAX or grace + 0 > CREDITS_MAX then return {'INVALID', 'ttl or grace'} end
local project, member, key, fingerprint, price_list, usage =
  match(account, '^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)$')
if not project then return {'INVALID', 'account'} end
local id_day, zone, from, to, begin = match(windows, '^(%d+);([^;]*);(%d+):(%d+);()')
local stop = zone and string.find(windows, ';', begin, true) -- plainly: most calls need no more of it than this
if not stop then return {'INVALID', 'windows'} end
local starts = string.sub(windows, begin, stop - 1)
local once, within, shadow = ARGV[6] or '', int(ARGV[7] or '0'), ARGV[8] or ''
if not within then return {'INVALID', 'within'} end
local id_ms = tonumber(string.sub(id, 1, 12), 16)
local day = math.floor(id_ms / DAY_MS)
if id_day + 0 ~= day then return {'INVALID', 'day'} end

local fields = scope_fields(project, member, key)
local book = read_book({bal = KEYS[1], open = KEYS[2], due = KEYS[3], journal = KEYS[6]}, fields)
if not book.rules then return {'NO_TEAM'} end
-- Windows that begin like the team's are those that were looked at when they were new.
if starts ~= book.scopes.team[11] and not match(windows, FOUR_EACH) then
  return {'INVALID', 'windows'}
end
local now, now_text = book.now, book.now_text
local timezone, frozen, request_cap, holds_cap, held_cap, minute_cap, limits =
  match(book.rules, '^([^\t]*)\t([01])\t(%d*)\t(%d*)\t(%d*)\t(%d*)\n(.*)$')
assert(timezone, 'the rules of a team cannot be read')

-- Seen before?
local raw_open, raw_done = call('HGET', KEYS[2], id), call('HGET', KEYS[4], id)
if raw_open then
  local r = endings().parse_record(raw_open)
  if r.fingerprint ~= fingerprint then return {'MISMATCH', r.state, id} end
  if r.state == 'H' then
    return {'HELD', r.amount, available(book), book.held, r.seq, '1', {}, r.starts}
  end
  return {'REPEAT', r.state, str(r.amount), '0', id}
end
if raw_done then
  local d = endings().parse_done(raw_done)
  -- Whoever undid a hold that was never made could not know its fingerprint.
  if d.fingerprint ~= fingerprint and d.state ~= 'V' then return {'MISMATCH', d.state, id} end
  return {'REPEAT', d.state, str(d.amount), str(d.charged), id}
end
if not is_recent(now, id_ms) then return {'STALE', now_text} end

-- The same request under another id? One that was released or undone is as if it had not been.
local named = once ~= '' and call('HGET', KEYS[9], once)
if once ~= '' and within > 0 then
  local of, buckets = endings(), {{KEYS[11], KEYS[12]}, {KEYS[9], KEYS[4]}, {KEYS[10], KEYS[5]}}
  for _, bucket in ipairs(buckets) do
    local earlier = call('HGET', bucket[1], once)
    if earlier and now - tonumber(string.sub(earlier, 1, 12), 16) <= within then
      local open, done = call('HGET', KEYS[2], earlier), call('HGET', bucket[2], earlier)
      local found = open and of.parse_record(open) or done and of.parse_done(done)
      if found and found.state ~= 'R' and found.state ~= 'V' then
        if found.fingerprint ~= fingerprint then return {'MISMATCH', found.state, earlier} end
        return {'REPEAT', found.state, str(found.amount), str(found.charged or 0), earlier}
      end
    end
  end
end

-- A name keeps its counters for ever, so new ones come to an end, but for those that a limit names. A key's do not: keys
-- are made by whoever runs this.
for _, field in ipairs(fields) do
  if book.scopes[field][11] == '0:0:0:0' and match(field, '^[pm]') and call('HLEN', KEYS[1]) >= NAMES_MAX
    and not string.find('\n' .. limits, '\n' .. field .. '\t', 1, true) then
    return {'NAMES', field, str(NAMES_MAX)}
  end
end

-- Which window of each period is it?
if timezone ~= zone then return {'RETRY_WINDOWS', now_text, timezone} end
if now < from + 0 or now >= to + 0 then
  local ends, next_ends = match(windows, ';([^;]+);([^;]+)$')
  local first, last, next_last = split(starts), split(ends), split(next_ends)
  for p = 1, 4 do
    if now >= last[p] + 0 then first[p], last[p] = last[p], next_last[p] end
    if now < first[p] + 0 or now >= last[p] + 0 then return {'RETRY_WINDOWS', now_text, timezone} end
  end
  starts, windows = table.concat(first, ':'), ';' .. table.concat(last, ':') .. ';'
end
-- A window never moves back: if two gateways disagree where it begins (time zone data of different age, a team that
-- changed its zone), the later start counts for both, or each would set the other's counters to zero.
if book.scopes.team[11] ~= starts then
  local newest, mine = split(book.scopes.team[11]), split(starts)
  for p = 1, 4 do
    if newest[p] + 0 > mine[p] + 0 and newest[p] + 0 <= now then mine[p] = newest[p] end
  end
  starts = table.concat(mine, ':')
end

-- Due holds of this team whose day is declared here; the sweeper takes the others.
local reaped = {}
if call('ZCOUNT', KEYS[3], '-inf', now_text) > 0 then -- mostly there are none, and to count costs less than a list
  local due = call('ZRANGEBYSCORE', KEYS[3], '-inf', now_text, 'LIMIT', '0', REAP_MAX)
  call('HLEN', KEYS[5])
  local by_time = endings()
  for _, due_id in ipairs(due) do
    if match(due_id, '^lapse:') then later(book, 'ZREM', KEYS[3], due_id) end -- done: see read_book
    local due_day = math.floor((tonumber(string.sub(due_id, 1, 12), 16) or 0) / DAY_MS)
    local raw = call('HGET', KEYS[2], due_id)
    local r = raw and by_time.parse_record(raw)
    if r and (due_day == day or due_day == day - 1) then
      by_time.pass_deadline(book, due_id, r, KEYS[4 + day - due_day], KEYS[7 + day - due_day], reaped)
    end
  end
end

-- Every check, every failure.
local refusals = {}
local free, held = available(book), book.held
local function refuse(code, scope, per, limit, used, scope_held, resets_at, fits)
  refusals[#refusals + 1] =
    {code, scope, per, str(limit), str(used), str(scope_held), str(resets_at), fits and '1' or '0'}
end

if frozen == '1' then refuse('team_frozen', 'team', '', 0, 0, held, 0, false) end
local cap = request_cap ~= '' and request_cap + 0
if cap and amount > cap then refuse('request_cap_exceeded', 'team', 'per_request', cap, 0, 0, 0, false) end
cap = holds_cap ~= '' and holds_cap + 0
if cap and book.open + 1 > cap then
  refuse('concurrency_exceeded', 'team', 'open_holds', cap, 0, book.open, 0, cap >= 1)
end
cap = held_cap ~= '' and held_cap + 0
if cap and held + amount > cap then
  refuse('concurrency_exceeded', 'team', 'held_credits', cap, 0, held, 0, amount <= cap)
end
cap = minute_cap ~= '' and minute_cap + 0
local minute, admitted = now - now % MINUTE_MS, 0
if cap then
  local counted, count = match(call('HGET', KEYS[1], 'minute') or '0:0', '^(%d+):(%d+)$')
  assert(counted, 'the count of a minute cannot be read')
  if counted + 0 == minute then admitted = count + 0 end
  if admitted + 1 > cap then
    refuse('rate_limited', 'team', 'minute', cap, admitted, 0, minute + MINUTE_MS, false)
  end
end
if amount > 0 and amount > free then
  refuse('insufficient_credits', 'team', '', book.granted - book.expired, book.charged, held, 0, amount <= free + held)
end

if limits ~= '' then
  local PERIODS = {hour = 1, day = 2, week = 3, month = 4}
  local mine = {}
  for _, field in ipairs(fields) do
    mine[field] = field
    mine[match(field, '^%l+')] = field
  end
  for name, per, text, raised in string.gmatch(limits, '([^\t\n]+)\t(%l+)\t(%d+)([^\n]*)\n') do
    local field, limit, p = mine[name], tonumber(text), PERIODS[per]
    local raised_to, raised_until = match(raised, '^\t(%d+)\t(%d+)$')
    if raised_to and now < raised_until + 0 then limit = raised_to + 0 end
    -- A limit by name (member:amy) replaces the general one (member) of the same period.
    if field and (name == field or not string.find('\n' .. limits, '\n' .. field .. '\t' .. per .. '\t', 1, true)) then
      local scope = book.scopes[field]
      local used, scope_held = scope[1], scope[2]
      if p then
        local current = scope[11] == starts or split(scope[11])[p] == split(starts)[p]
        used, scope_held = current and scope[2 * p + 1] or 0, current and scope[2 * p + 2] or 0
      end
      if used + scope_held + amount > limit then
        local resets_at = p and split(match(windows, ';([%d:]+);[%d:]*$'))[p] or 0
        refuse('limit_exceeded', field, per, limit, used, scope_held, resets_at, used + amount <= limit)
      end
    end
  end
end

local why = ''
if #refusals > 0 or shadow ~= '' then
  -- What is charged and held has to stay exact, whoever is let by.
  if #refusals > 0 and (shadow == '' or frozen == '1' or book.charged + held + amount > CREDITS_MAX) then
    flush(book)
    refusals[#refusals + 1] = now_text
    return {'REFUSED', str(free), str(held), reaped, unpack(refusals)}
  end
  local codes, seen = shadow == 'shadow' and {} or {shadow}, {}
  for _, refusal in ipairs(refusals) do
    if not seen[refusal[1]] then codes[#codes + 1] = refusal[1] end
    seen[refusal[1]] = true
  end
  if #codes > 0 then why = 'shadow: ' .. table.concat(codes, ',') end
end

-- Admitted: the last decisions are made, now the book changes.
for _, field in ipairs(fields) do
  local scope = book.scopes[field]
  if scope[11] ~= starts then
    local before, mine = split(scope[11]), split(starts)
    for p = 1, 4 do
      if before[p] ~= mine[p] then scope[2 * p + 1], scope[2 * p + 2] = '0', '0' end
    end
    scope[11] = starts
  end
end
move_scopes(book, fields, starts, 0, amount)
book.held, book.open = book.held + amount, book.open + 1
if minute_cap ~= '' then book.minute = str(minute) .. ':' .. str(admitted + 1) end
-- One that was on its way for long does not take the name from a hold that began after it and was not given back.
local is_late = named and named > id
local later_end = is_late and call('HGET', KEYS[4], named)
if is_late and (call('HEXISTS', KEYS[2], named) == 1 or later_end and not match(later_end, '^[RV]')) then once = '' end
local amount_text = str(amount)
local seq =
  append(book, 'hold', id, amount_text, '0', '', project, member, key, starts, price_list, why, '', usage, ARGV[5])
local parts = book.lots and book.lots.draw(amount, 'held') or ''
flush(book)
call('HSET', KEYS[2], id, 'H\t' .. amount_text .. '\t' .. grace .. '\t' .. policy .. '\t' .. seq .. '\t'
  .. now_text .. '\t' .. starts .. '\t' .. account .. '\t' .. parts)
call('ZADD', KEYS[3], str(now + ttl), id)
if once ~= '' then
  call('HSET', KEYS[9], once, id)
  call('PEXPIRE', KEYS[9], ONCE_MS)
end
return {'HELD', amount, available(book), book.held, seq, '0', reaped, starts, unpack(refusals)}
