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
local RETENTION_MS = '259200000'     -- a resolved hold is remembered for 72 h after it was last written
local ID_AGE_MAX_MS = 172800000      -- so an id up to 48 h old can never be a forgotten one
local CLOCK_STEP_MAX_MS = 300000     -- a clock that steps back by up to 5 min stands still; by more, it is believed
local DAY_MS = 86400000
local MINUTE_MS = 60000
local USAGE_DAYS = 431               -- a month's usage is forgotten 400 days after its end
local USAGE_ROWS_MAX = 10000         -- a month has so many rows of usage, and then one more a day for all else

local call, match, format = redis.call, string.match, string.format

-- A script runs from its first line at every call, so a function costs its making even if nothing calls it. What few
-- calls need (lots, the end by time) is therefore inside one function each, and made when that is entered.

-- Digits -> number, or nil for anything else: tonumber alone takes 'nan', '0x10', '1e3', ' 5 ' and '-0'.
local function int(text)
  local value = text and match(text, '^%d+$') and text + 0
  return value and value <= CREDITS_MAX and value or nil
end

-- Number -> digits, never an exponent. '%d' is exact and much cheaper wherever the server's integers have 64 bits;
-- '%.0f' is exact everywhere, but writes a negative zero as '-0', which no command takes: hence the + 0.
local INT = format('%d', CREDITS_MAX) == '9000000000000000' and '%d' or '%.0f'
local FIGURES = INT == '%d' and '%d:%d:%d:%d:%d:%d:%d' or '%.0f:%.0f:%.0f:%.0f:%.0f:%.0f:%.0f'
local ROW = INT == '%d' and '%d:%d:%d:%d' or '%.0f:%.0f:%.0f:%.0f'
local function str(value)
  return format(INT, value + 0)
end

-- Whether an id is of a time from which nothing can have been forgotten, and not of the far future.
local function is_recent(now, id_ms)
  return now - id_ms <= ID_AGE_MAX_MS and id_ms - now <= DAY_MS
end

-- 'hour:day:week:month' -> its four texts.
local function split(windows)
  return {match(windows, '^(%d+):(%d+):(%d+):(%d+)$')}
end

-- A scope's counters, a JSON array: used, held, then used, held in hour, day, week, month, and when those four began.
-- One value, not one key per window: a hold that opens a new window starts its counters afresh, so nothing is left to
-- expire. In the book they stay text, because only those that move have to become numbers and text again.
local function parse_scope(raw)
  if not raw then return {'0', '0', '0', '0', '0', '0', '0', '0', '0', '0', '0:0:0:0'} end
  local scope = {match(raw, '^%[(%d+),(%d+),(%d+),(%d+),(%d+),(%d+),(%d+),(%d+),(%d+),(%d+),"(.*)"%]$')}
  assert(scope[11], 'the counters of a scope cannot be read')
  return scope
end

local function scope_text(s)
  return '[' .. s[1] .. ',' .. s[2] .. ',' .. s[3] .. ',' .. s[4] .. ',' .. s[5] .. ',' .. s[6] .. ',' .. s[7] .. ','
    .. s[8] .. ',' .. s[9] .. ',' .. s[10] .. ',"' .. s[11] .. '"]'
end

local function available(book)
  return book.granted - book.charged - book.expired - book.held
end

local function later(book, ...)
  book.writes[#book.writes + 1] = {...}
end

-- Give back the sequence of a new journal entry, as text. One per transition, every value as text, a tab between the
-- fields, always these, in this order; only the last may hold a tab itself.
local function append(
  book, kind, id, amount, charged, hold_seq, project, member, key, windows, price_list, why, actor, usage, meta
)
  book.seq = book.seq + 1
  local seq, entries = str(book.seq), book.entries
  entries[#entries + 1] = seq .. '-0'
  entries[#entries + 1] = kind .. '\t' .. book.now_text .. '\t' .. id .. '\t' .. amount .. '\t' .. charged
    .. '\t' .. hold_seq .. '\t' .. project .. '\t' .. member .. '\t' .. key .. '\t' .. windows .. '\t' .. price_list .. '\t' .. why .. '\t'
    .. actor .. '\t' .. usage .. '\t' .. meta
  return seq
end

-- The lots of a team: its grants with an expiry, soonest first and then as given, as a list and by the sequence of the
-- grant's journal entry. `amount` is what of the grant has not lapsed, `used` and `held` are parts of it, the rest is
-- free; everything that is in no lot is the common pot. A line for each, tab between the fields; it is written again as
-- it was (`line`) unless the lot changed. What can be done with them comes along: lapse, draw, divide, text.
local function open_lots(book, raw)
  local lots, count = {}, 0
  for line in string.gmatch(raw, '([^\n]*)\n') do
    local seq, expires, amount, used, held, id = match(line, '^(%d+)\t(%d+)\t(%d+)\t(%d+)\t(%d+)\t(.*)$')
    assert(seq, 'a lot of a team cannot be read')
    local lot = {
      line = line, seq = seq, expires = expires + 0, amount = amount + 0, used = used + 0, held = held + 0, id = id,
    }
    count = count + 1
    lots[count] = lot
    lots[seq] = lot
  end

  -- What is free in lots past their time leaves as expired; but credits that cover a debt do not: those join the pot.
  function lots.lapse()
    for _, lot in ipairs(lots) do
      local free = lot.amount - lot.used - lot.held
      if free > 0 and lot.expires <= book.now then
        local lapsed = math.min(free, math.max(0, available(book)))
        lot.amount, lot.line = lot.amount - free, nil
        book.expired = book.expired + lapsed
        if lapsed > 0 then
          append(book, 'lapse', lot.id, str(lapsed), '0', lot.seq, '', '', '', '', '', '', '', '', '')
        end
      end
    end
  end

  -- Take `amount` from the lots, soonest first, as far as they reach; the rest is the pot's. Adds to `figure` of each
  -- lot, 'held' or 'used', and gives the parts back, which a hold remembers: 'seq=amount,seq=amount' in that order.
  function lots.draw(amount, figure)
    local parts = {}
    for _, lot in ipairs(lots) do
      if amount == 0 then break end
      local part = math.min(amount, lot.amount - lot.used - lot.held)
      if part > 0 then
        lot[figure], lot.line = lot[figure] + part, nil
        amount = amount - part
        parts[#parts + 1] = lot.seq .. '=' .. str(part)
      end
    end
    return table.concat(parts, ',')
  end

  -- The id of a grant whose lot is gone; '' if the journal no longer has it.
  local function grant_id(seq)
    local entry = call('XRANGE', book.keys.journal, seq .. '-0', seq .. '-0')[1]
    return entry and match(entry[2][2], '^grant\t%d+\t([^\t]*)\t') or ''
  end

  -- A hold cost `charged`: that falls on its parts in their order, and what is left of a part goes back to the lot it
  -- came from, or lapses if that lot's time has come. More than the parts is the pot's. The parts count as `figure` of
  -- their lots until now: 'held', or 'used' if time had charged them.
  function lots.divide(parts, charged, figure)
    for seq, text in string.gmatch(parts, '(%d+)=(%d+)') do
      local part, lot = text + 0, lots[seq]
      local spent = math.min(part, charged)
      charged = charged - spent
      if lot then
        lot[figure], lot.line = lot[figure] - part, nil
        lot.used = lot.used + spent
        if spent < part and lot.expires > book.now then -- its reminder is gone if the clock stepped back meanwhile
          later(book, 'ZADD', book.keys.due, str(lot.expires), 'lapse:' .. seq)
        end
      elseif spent < part then
        lots[#lots + 1] = {seq = seq, expires = 0, amount = part, used = spent, held = 0, id = grant_id(seq)}
      end
    end
    lots.lapse()
  end

  -- One past its time is kept only while something of it is held.
  function lots.text()
    local lines, now = {}, book.now
    for _, lot in ipairs(lots) do
      if lot.held > 0 or lot.expires > now then
        lines[#lines + 1] = lot.line or lot.seq .. '\t' .. str(lot.expires) .. '\t' .. str(lot.amount) .. '\t'
          .. str(lot.used) .. '\t' .. str(lot.held) .. '\t' .. lot.id
      end
    end
    return #lines > 0 and table.concat(lines, '\n') .. '\n' or ''
  end

  book.lots = lots
  return lots
end

-- The team's figures, its rules (as team.lua writes them; nil: no team), its lots (nil: none) and the counters of these
-- scopes, read at one instant: the store's now, taken once. What has lapsed by then has lapsed in the book.
-- keys: bal, open, due, journal (those the script declares).
local function read_book(keys, fields)
  local raw = call('HMGET', keys.bal, 'figures', 'rules', 'lots', unpack(fields))
  local seq, at, granted, charged, expired, held, open =
    match(raw[1] or '0:0:0:0:0:0:0', '^(%d+):(%d+):(%d+):(%d+):(%d+):(%d+):(%d+)$')
  assert(seq, 'the figures of a team cannot be read')
  local time, last = call('TIME'), at + 0
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if last > now and last - now <= CLOCK_STEP_MAX_MS then now = last end
  local scopes = {}
  for i = 1, #fields do scopes[fields[i]] = parse_scope(raw[i + 3]) end
  local book = {
    keys = keys, now = now, seq = seq + 0, granted = granted + 0, charged = charged + 0, expired = expired + 0,
    held = held + 0, open = open + 0, scopes = scopes, entries = {nil, nil}, ended = {}, writes = {}, rules = raw[2],
    now_text = str(now),
  }
  if raw[3] then open_lots(book, raw[3]).lapse() end
  return book
end

-- The last entry of the journal as it is stored: a script that writes nothing may have let lots lapse in its book.
local function last_seq(book)
  return book.seq - #book.entries / 2
end

local function scope_fields(project, member, key)
  local fields = {'team', nil, nil, nil} -- room for four: filling it does not move it
  if project ~= '' then fields[2] = 'project:' .. project end
  if member ~= '' then fields[#fields + 1] = 'member:' .. member end
  if key ~= '' then fields[#fields + 1] = 'key:' .. key end
  return fields
end

-- Move `used` and `held` in the lifetime counters and in those windows of the hold that are still the current ones.
-- A window that a clock stepping back had closed has begun again with nothing; what ends in it now may have begun in it
-- before, and a counter below zero could not be read any more.
local function move_scopes(book, fields, starts, used, held)
  for i = 1, #fields do
    local scope = book.scopes[fields[i]]
    local is_same = scope[11] == starts
    local current, mine = not is_same and split(scope[11]), not is_same and split(starts)
    for first = 1, 2 do -- 1: used, 2: held
      local by, life = first == 1 and used or held, scope[first]
      if by ~= 0 then
        local moved = str(life + by)
        scope[first] = moved
        for at = first + 2, first + 8, 2 do
          local before, p = scope[at], (at - first) / 2
          if is_same and before == life then -- what is held is mostly the same in all of them: made text once
            scope[at] = moved
          elseif is_same or current[p] == mine[p] then
            scope[at] = str(math.max(0, before + by))
          end
        end
      end
    end
  end
end

-- What is stored of a hold, and the ways in which it ends. A new hold needs nothing of it.
local function endings()
  -- An open hold as one value, tab between the fields (no name may hold a tab); hold.lua writes it.
  -- `policy`: r(elease) | c(harge) | k(eep) | j: it follows a job, so that time alone never resolves it.
  local function parse_record(raw)
    local state, amount, policy, seq, starts, day, project, member, key, fingerprint, price_list, usage, parts =
      match(raw, '^(%u)\t(%d+)\t%d+\t(%l)\t(%d+)\t%d+\t(%d+:(%d+):%d+:%d+)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t'
        .. '([^\t]*)\t([^\t]*)\t([^\t]*)\t([%d=,]*)$')
    assert(state, 'the record of a hold cannot be read')
    return {
      raw = raw, state = state, amount = amount + 0, amount_text = amount, policy = policy, seq = seq, starts = starts, day = day, project = project, member = member, key = key, fingerprint = fingerprint,
      price_list = price_list, usage = usage, parts = parts, fields = scope_fields(project, member, key),
    }
  end

  -- Gives back the hold's grace, which nothing else needs.
  local function turn_unknown(r)
    r.state, r.raw = 'U', 'U' .. string.sub(r.raw, 2)
    return match(r.raw, '^U\t%d+\t(%d+)\t') + 0
  end

  -- A resolved hold: state, charged, amount (empty if it is what was charged), fingerprint; and, if time resolved it,
  -- its whole record for a late settle.
  local function parse_done(raw)
    local state, charged, amount, fingerprint, record = match(raw, '^(%u)\t(%d+)\t(%d*)\t([^\t]*)\t?(.*)$')
    assert(state, 'the end of a hold cannot be read')
    if amount == '' then amount = charged end
    return {state = state, charged = charged + 0, amount = amount + 0, fingerprint = fingerprint, record = record}
  end

  -- `outputs`: how many were made, as text; '' where nobody tells.
  local function append_for(book, kind, id, r, charged, why, outputs, meta)
    return append(
      book, kind, id, r.amount_text, charged, r.seq, r.project, r.member, r.key, '', r.price_list, why, '', outputs, meta
    )
  end

  -- The rows of usage that this step changes: credits, generations, released, outputs, and what writes them.
  local rows, counts = {}, {}
  local function take_row(book, bucket, field, stored)
    local credits, generations, released, outputs = match(stored, '^(%d+):(%d+):(%d+):(%d+)$')
    assert(credits, 'a row of usage cannot be read')
    local row = {credits + 0, generations + 0, released + 0, outputs + 0, {'HSET', bucket, field, ''}}
    rows[bucket .. field] = row
    book.writes[#book.writes + 1] = row[5]
    return row
  end

  -- A row that is not there yet. Where a month has all the rows it may have, a day's further ones are one. In a month
  -- that is forgotten a row is written and gone, for its time is over.
  local function new_row(book, bucket, day, field)
    local count = counts[bucket] or call('HLEN', bucket)
    if count >= USAGE_ROWS_MAX then
      field = day .. '\t*'
      local stored = not rows[bucket .. field] and call('HGET', bucket, field)
      local row = stored and take_row(book, bucket, field, stored) or rows[bucket .. field]
      if row then return row end
    end
    counts[bucket] = count + 1
    local row = take_row(book, bucket, field, '0:0:0:0')
    -- The bucket is forgotten so long after the 1st of the month that its name ends with, at UTC.
    local year, month = match(bucket, '(%d+)-(%d+)$')
    local y, m = year + 0, month + 0
    if m < 3 then y, m = y - 1, m + 12 end -- years from March on: the leap day is their last
    local floor = math.floor
    local days = 365 * y + floor(y / 4) - floor(y / 100) + floor(y / 400) + floor((153 * m - 457) / 5) - 719468
    later(book, 'PEXPIRE', bucket, str((days + USAGE_DAYS) * DAY_MS - book.now))
    return row
  end

  -- Move what is counted in a hold's row: that of the day its windows say (of one whose windows nobody knows, the UTC
  -- day in its id), of what it was for, of its project and its member. `bucket` is among KEYS.
  local function move_usage(book, bucket, id, r, credits, generations, released, outputs)
    local day = r.day
    if day == '0' then
      local id_ms = tonumber(string.sub(id, 1, 12), 16)
      day = str(id_ms - id_ms % DAY_MS)
    end
    local field = day .. '\t' .. r.usage .. '\t' .. r.project .. '\t' .. r.member
    local row = rows[bucket .. field]
    if not row then
      local stored = call('HGET', bucket, field)
      row = stored and take_row(book, bucket, field, stored) or new_row(book, bucket, day, field)
    end
    local max = math.max
    row[1], row[2] = max(0, row[1] + credits), max(0, row[2] + generations)
    row[3], row[4] = max(0, row[3] + released), max(0, row[4] + outputs)
    row[5][4] = format(ROW, row[1], row[2], row[3], row[4])
  end

  -- Count the end of a hold, or with sign -1 take it back: what was charged or made was a generation, anything else was
  -- released.
  local function count_end(book, bucket, id, r, charged, outputs, sign)
    if charged > 0 or outputs > 0 then
      return move_usage(book, bucket, id, r, sign * charged, sign, 0, sign * outputs)
    end
    move_usage(book, bucket, id, r, 0, 0, sign, 0)
  end

  -- What is remembered of a hold that is over. `state`: S, R by a call; X, C by time; L late; V undone before it was
  -- made; O settled after the store had lost it. `charged` and `amount` are text.
  local function remember(book, id, done, state, charged, amount, fingerprint, record)
    local ended = book.ended
    ended[#ended + 1] = id
    ended[#ended + 1] = done
    if amount == charged then amount = '' end
    ended[#ended + 1] = state .. '\t' .. charged .. '\t' .. amount .. '\t' .. fingerprint .. record
  end

  -- Charge what no hold keeps aside, as new spend: from the lots, then from the pot, which may go into debt. It counts
  -- in those of its windows that are still the current ones. `r`: the fields and the window starts to count it in.
  local function spend(book, r, amount)
    book.charged = book.charged + amount
    if book.lots then book.lots.draw(amount, 'used') end
    move_scopes(book, r.fields, r.starts, amount, 0)
  end

  -- End an open hold with `charged` booked. The counters of its scopes must be in the book.
  local function resolve(book, id, r, charged, state, kind, done, bucket, why, outputs, meta)
    local text = str(charged)
    book.held, book.charged, book.open = book.held - r.amount, book.charged + charged, book.open - 1
    move_scopes(book, r.fields, r.starts, charged, -r.amount)
    if r.policy == 'j' then later(book, 'HDEL', book.keys.jobs, id) end
    local record = (state == 'X' or state == 'C') and '\t' .. r.raw or ''
    remember(book, id, done, state, text, r.amount_text, r.fingerprint, record)
    local seq = append_for(book, kind, id, r, text, why, outputs, meta)
    count_end(book, bucket, id, r, charged, outputs == '' and 0 or outputs + 0, 1)
    if r.parts ~= '' then (book.lots or open_lots(book, '')).divide(r.parts, charged, 'held') end
    return seq
  end

  -- Time acts on a hold past its deadline: HELD becomes UNKNOWN and gets its grace; UNKNOWN meets its own policy, which
  -- for one that follows a job is to be kept.
  -- With no grace both happen now. Adds {id, kind, amount, seq} to `out` for each transition.
  local function pass_deadline(book, id, r, done, bucket, out)
    if r.state == 'H' then
      local grace = turn_unknown(r)
      local seq = append_for(book, 'unknown', id, r, '0', 'deadline', '', '')
      out[#out + 1] = {id, 'unknown', r.amount_text, seq}
      if grace > 0 then
        later(book, 'HSET', book.keys.open, id, r.raw)
        later(book, 'ZADD', book.keys.due, str(book.now + grace), id)
        return
      end
    end
    for _, field in ipairs(r.fields) do
      if not book.scopes[field] then book.scopes[field] = parse_scope(call('HGET', book.keys.bal, field)) end
    end
    local kind, seq = 'expire', nil
    if r.policy == 'r' then
      seq = resolve(book, id, r, 0, 'X', kind, done, bucket, 'policy', '', '')
    elseif r.policy == 'c' then
      kind = 'charge'
      seq = resolve(book, id, r, r.amount, 'C', kind, done, bucket, 'policy', '', '')
    else
      kind = 'keep'
      seq = append_for(book, kind, id, r, '0', 'policy', '', '')
      later(book, 'HSET', book.keys.open, id, r.raw)
      later(book, 'ZREM', book.keys.due, id)
    end
    out[#out + 1] = {id, kind, r.amount_text, seq}
  end

  return {
    parse_record = parse_record, parse_done = parse_done, append_for = append_for, remember = remember, spend = spend,
    turn_unknown = turn_unknown, resolve = resolve, pass_deadline = pass_deadline, move_usage = move_usage,
    count_end = count_end,
  }
end

local function flush_writes(book)
  for i = 1, #book.writes do call(unpack(book.writes[i])) end
end

-- Write everything that was decided. No figure is written if there was no transition.
local function flush(book)
  local entries, ended, keys = book.entries, book.ended, book.keys
  if #entries == 0 then return flush_writes(book) end
  for i = 1, #entries, 2 do call('XADD', keys.journal, entries[i], 'e', entries[i + 1]) end
  local set = {
    'figures', format(FIGURES, book.seq, book.now, book.granted, book.charged, book.expired, book.held, book.open),
    nil, nil, nil, nil, nil, nil, -- room: filling it does not move it
  }
  local lots = book.lots and book.lots.text()
  if lots and lots ~= '' then
    set[#set + 1] = 'lots'
    set[#set + 1] = lots
  end
  for field, scope in pairs(book.scopes) do
    if scope[11] ~= '0:0:0:0' or scope[1] ~= '0' then -- a scope in which nothing was ever held is not written
      set[#set + 1] = field
      set[#set + 1] = scope_text(scope)
    end
  end
  if book.minute then
    set[#set + 1] = 'minute'
    set[#set + 1] = book.minute
  end
  call('HSET', keys.bal, unpack(set))
  if lots == '' then call('HDEL', keys.bal, 'lots') end
  for i = 1, #ended, 3 do
    call('HDEL', keys.open, ended[i])
    call('ZREM', keys.due, ended[i])
    call('HSET', ended[i + 1], ended[i], ended[i + 2])
    call('PEXPIRE', ended[i + 1], RETENTION_MS)
  end
  flush_writes(book)
end
