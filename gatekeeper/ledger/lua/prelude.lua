-- prelude.lua: put in front of every script of this directory when it is loaded (see scripts.py).
--
-- What the scripts share: exact integers, the store's clock, a team's book (its figures in memory), and the ways
-- in which a hold ends. A script reads, decides and changes the book; `flush` then writes it, last and once.
--
-- Lua does not roll back, so after the first write nothing may fail:
--   * every key is read with a command of its type before anything is written, or is written first (the journal);
--   * every number is checked as digits before use, and written by `str`, never by Lua's own formatting;
--   * the journal is appended first: its ids are `<seq>-0`, so a wrong sequence stops the script before any harm.
--
-- Money is in micro-credits, instants in ms since 1970 UTC, intervals in ms.

local CREDITS_MAX = 9000000000000000 -- below 2^53: a Lua number is still exact
local RETENTION_MS = 259200000       -- a resolved hold is remembered for 72 h after it was last written
local ID_AGE_MAX_MS = 172800000      -- so an id up to 48 h old can never be a forgotten one
local CLOCK_STEP_MAX_MS = 300000     -- a clock that steps back by up to 5 min stands still; by more, it is believed
local DAY_MS = 86400000

-- Digits -> number, or nil for anything else: tonumber alone takes 'nan', '0x10', '1e3', ' 5 ' and '-0'.
local function int(text)
  if not text or #text > 16 or not string.match(text, '^%d+$') then return nil end
  local value = tonumber(text)
  if value > CREDITS_MAX then return nil end
  return value
end

-- Number -> digits, never an exponent. '%d' is exact and much cheaper wherever the server's integers have 64 bits;
-- '%.0f' is exact everywhere, but writes a negative zero as '-0', which no command takes.
local INT = string.format('%d', CREDITS_MAX) == '9000000000000000' and '%d' or '%.0f'
local function str(value)
  if value == 0 then return '0' end
  return string.format(INT, value)
end

-- The store's clock, once per script; `last` is the newest instant in the team's book.
local function clock_ms(last)
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  if last > now and last - now <= CLOCK_STEP_MAX_MS then return last end
  return now
end

-- The team's figures. keys: bal, use, open, due, journal (those the script declares).
local function read_book(keys)
  local raw = redis.call('HMGET', keys.bal, 'seq', 'at', 'granted', 'charged', 'expired', 'held', 'open')
  local book = {keys = keys, scopes = {}, entries = {}, writes = {}}
  book.seq, book.at = tonumber(raw[1] or '0'), tonumber(raw[2] or '0')
  book.granted, book.charged, book.expired = tonumber(raw[3] or '0'), tonumber(raw[4] or '0'), tonumber(raw[5] or '0')
  book.held, book.open = tonumber(raw[6] or '0'), tonumber(raw[7] or '0')
  book.now = clock_ms(book.at)
  return book
end

local function available(book)
  return book.granted - book.charged - book.expired - book.held
end

local function later(book, ...)
  book.writes[#book.writes + 1] = {...}
end

-- A scope's counters: {used, held, then for hour, day, week, month: start, used, held}. One value, not one key per
-- window: a hold that opens a new window starts its counters afresh, so nothing is left over to expire.
local SCOPE_PATTERN = '^(%d+):(%d+)' .. string.rep('|(%d+):(%d+):(%d+)', 4) .. '$'
local SCOPE_FORMAT = INT .. ':' .. INT .. string.rep('|' .. INT .. ':' .. INT .. ':' .. INT, 4)

local function parse_scope(raw)
  local scope = {string.match(raw or '', SCOPE_PATTERN)}
  assert(scope[1] or not raw, 'the counters of a scope cannot be read')
  for i = 1, 14 do scope[i] = tonumber(scope[i] or '0') end
  return scope
end

local function read_scopes(book, fields)
  local missing = {}
  for _, field in ipairs(fields) do
    if not book.scopes[field] then missing[#missing + 1] = field end
  end
  if #missing == 0 then return end
  local raw = redis.call('HMGET', book.keys.use, unpack(missing))
  for i, field in ipairs(missing) do book.scopes[field] = parse_scope(raw[i]) end
end

local function scope_fields(project, member, key)
  local fields = {'team'}
  if project ~= '' then fields[#fields + 1] = 'project:' .. project end
  if member ~= '' then fields[#fields + 1] = 'member:' .. member end
  if key ~= '' then fields[#fields + 1] = 'key:' .. key end
  return fields
end

-- Move `held` and `used` in the lifetime counters and in those windows of the hold that are still the current ones.
local function move_scopes(book, fields, starts, held, used)
  read_scopes(book, fields)
  for _, field in ipairs(fields) do
    local scope = book.scopes[field]
    scope.dirty = true
    scope[1], scope[2] = scope[1] + used, scope[2] + held
    for p = 1, 4 do
      if scope[3 * p] == starts[p] then
        scope[3 * p + 1], scope[3 * p + 2] = scope[3 * p + 1] + used, scope[3 * p + 2] + held
      end
    end
  end
end

-- An open hold as one value, tab between the fields (no name may hold a tab).
local RECORD_PATTERN = '^(%u)\t(%d+)\t(%d+)\t(%l)\t(%d+)\t(%d+)\t(%d+):(%d+):(%d+):(%d+)' .. string.rep('\t([^\t]*)', 5) .. '$'

local function parse_record(raw)
  local f = {string.match(raw, RECORD_PATTERN)}
  assert(f[1], 'the record of a hold cannot be read')
  return {
    state = f[1], amount = tonumber(f[2]), grace = tonumber(f[3]), policy = f[4], seq = f[5], at = f[6],
    starts = {tonumber(f[7]), tonumber(f[8]), tonumber(f[9]), tonumber(f[10])},
    project = f[11], member = f[12], key = f[13], fingerprint = f[14], price_list = f[15],
    fields = scope_fields(f[11], f[12], f[13]),
  }
end

local function starts_text(starts)
  return str(starts[1]) .. ':' .. str(starts[2]) .. ':' .. str(starts[3]) .. ':' .. str(starts[4])
end

local function format_record(r)
  return table.concat({
    r.state, str(r.amount), str(r.grace), r.policy, r.seq, r.at, starts_text(r.starts),
    r.project, r.member, r.key, r.fingerprint, r.price_list,
  }, '\t')
end

-- A resolved hold: state, charged, amount, fingerprint; and, if time resolved it, its whole record for a late settle.
local function parse_done(raw)
  local state, charged, amount, fingerprint, record = string.match(raw, '^(%u)\t(%d+)\t(%d+)\t([^\t]*)\t?(.*)$')
  return {
    state = state, charged = tonumber(charged), amount = tonumber(amount), fingerprint = fingerprint, record = record,
  }
end

local function remember(book, done, id, value)
  later(book, 'HSET', done, id, value)
  later(book, 'PEXPIRE', done, str(RETENTION_MS))
end

-- One journal entry per transition; always the same fields in the same order, which a stream stores compactly.
local function append(book, kind, id, e)
  book.seq = book.seq + 1
  book.entries[#book.entries + 1] = {
    'XADD', book.keys.journal, str(book.seq) .. '-0',
    'kind', kind, 'at', str(book.now), 'id', id, 'amount', str(e.amount or 0), 'charged', str(e.charged or 0),
    'hold_seq', e.seq or '', 'project', e.project or '', 'member', e.member or '', 'key', e.key or '',
    'windows', e.windows or '', 'price_list', e.price_list or '', 'why', e.why or '', 'actor', e.actor or '',
    'meta', e.meta or '',
  }
  return book.seq
end

local function append_for(book, kind, id, r, charged, why, meta)
  return append(book, kind, id, {
    amount = r.amount, charged = charged, seq = r.seq, project = r.project, member = r.member, key = r.key,
    price_list = r.price_list, why = why, meta = meta,
  })
end

-- End an open hold with `charged` booked. `state` is what is remembered: S, R by a call; X, C by time.
local function resolve(book, id, r, charged, state, kind, done, why, meta)
  book.held, book.charged, book.open = book.held - r.amount, book.charged + charged, book.open - 1
  move_scopes(book, r.fields, r.starts, -r.amount, charged)
  local value = table.concat({state, str(charged), str(r.amount), r.fingerprint}, '\t')
  if state == 'X' or state == 'C' then value = value .. '\t' .. format_record(r) end
  later(book, 'HDEL', book.keys.open, id)
  later(book, 'ZREM', book.keys.due, id)
  remember(book, done, id, value)
  return append_for(book, kind, id, r, charged, why, meta)
end

-- Time acts on a hold past its deadline: HELD becomes UNKNOWN and gets its grace; UNKNOWN meets its own policy.
-- With no grace both happen now. Adds {id, kind, amount, seq} to `out` for each transition.
local function pass_deadline(book, id, r, done, out)
  if r.state == 'H' then
    r.state = 'U'
    local seq = append_for(book, 'unknown', id, r, 0, 'deadline', '')
    out[#out + 1] = {id, 'unknown', str(r.amount), str(seq)}
    if r.grace > 0 then
      later(book, 'HSET', book.keys.open, id, format_record(r))
      later(book, 'ZADD', book.keys.due, str(book.now + r.grace), id)
      return
    end
  end
  local kind, seq = 'expire', nil
  if r.policy == 'r' then
    seq = resolve(book, id, r, 0, 'X', kind, done, 'policy', '')
  elseif r.policy == 'c' then
    kind = 'charge'
    seq = resolve(book, id, r, r.amount, 'C', kind, done, 'policy', '')
  else
    kind = 'keep'
    seq = append_for(book, kind, id, r, 0, 'policy', '')
    later(book, 'HSET', book.keys.open, id, format_record(r))
    later(book, 'ZREM', book.keys.due, id)
  end
  out[#out + 1] = {id, kind, str(r.amount), str(seq)}
end

-- Write everything that was decided. Nothing is written if there was no transition.
local function flush(book)
  if #book.entries == 0 then return end
  for _, entry in ipairs(book.entries) do redis.call(unpack(entry)) end
  redis.call('HSET', book.keys.bal, 'seq', str(book.seq), 'at', str(book.now), 'granted', str(book.granted),
    'charged', str(book.charged), 'expired', str(book.expired), 'held', str(book.held), 'open', str(book.open))
  local use = {}
  for field, scope in pairs(book.scopes) do
    if scope.dirty then
      use[#use + 1] = field
      use[#use + 1] = string.format(SCOPE_FORMAT, unpack(scope, 1, 14))
    end
  end
  if #use > 0 then redis.call('HSET', book.keys.use, unpack(use)) end
  for _, write in ipairs(book.writes) do redis.call(unpack(write)) end
end
