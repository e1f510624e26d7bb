-- settle.lua: book what a hold really cost and free the rest. A release is a settle of 0.
--
-- A hold is resolved once. If time had resolved it before, the result is booked once as the fact it is (LATE): it may
-- take the team below zero, or give back what a policy had charged. If the store has lost the hold, a settle that brings
-- its context along is booked all the same, once (ORPHAN). An undo, or a settle of 0 with a context, of a hold that is
-- not there sees to it that it never will be (VOIDED).
--
-- KEYS (7, or 8 if there is an answer to keep; one hash tag)
--   1 bal HASH   2 open HASH   3 due ZSET   4 done HASH of the UTC day in the hold id   5 journal STREAM
--   6 jobs HASH (hold id -> the job it follows)   7 usage HASH of the UTC month in the hold id
--   8 answer STRING, of this hold
-- ARGV (5, or 7 if there is an answer to keep)
--   1 hold id
--   2 terms     'amount:outputs:undo:within'
--      amount   micro-credits, 0 .. 9e15; more than was held is booked too
--      outputs  how many were made, 0 .. 1000000, for the usage
--      undo 0|1   with amount 0: if there is no such hold, there never shall be
--      within 0|1 beyond what was held, book only as much as the team has available; the same again is a duplicate
--               though less was booked than it asks
--   3 why       outcome or reason, for the journal   4 meta small JSON text for the journal
--   5 context   what books the settle if the hold is lost, or '': amount held, 'hour:day:week:month' (when its windows
--               began; '0:0:0:0' if that is not known), project, member, key id, fingerprint, price list, usage; a tab between
--   6 answer    kept if this is what resolves the hold with a charge   7 ms it is kept for
-- Reply, one of (credits are integers, everything else text)
--   {'SETTLED'|'RELEASED', charged, freed, available, held, state met, over 0|1, seq}
--   {'LATE', charged, freed, available, held, state met, over 0|1, seq}    freed: what went back of a charge by policy
--   {'ORPHAN'|'VOIDED', charged, 0, available, held, '', over 0|1, seq}
--   {'DUPLICATE'|'MISMATCH', charged before, 0, available, held, state met, over 0|1, 0}
--   {'GONE', 0, 0, available, held, '', 0, 0}   {'INVALID', what}
-- Example
--   EVALSHA <sha> 7 gk:{a}:bal gk:{a}:open gk:{a}:due gk:{a}:done:20414 gk:{a}:j gk:{a}:jobs gk:{a}:usage:2025-11
--     019aab... 24000000:1:0:0 made '{}' ''
--   -> {'SETTLED', 24000000, 25000000, 466000000, 0, 'H', '0', '3'}

assert(#KEYS == 7 or #KEYS == 8, 'settle takes 7 keys, with an answer 8')
assert(#ARGV == (#KEYS == 8 and 7 or 5), 'settle takes 5 arguments, with an answer 7')

local OUTPUTS_MAX = 1000000 -- a row of usage can count that many of every hold that is in it

local id, why, meta, context, bucket = ARGV[1], ARGV[3], ARGV[4], ARGV[5], KEYS[7]
local digits, outputs_text, undo, within = match(ARGV[2], '^(%d+):(%d+):([01]):([01])$')
if not digits then return {'INVALID', 'terms'} end
local asked, outputs, is_undo, is_within = digits + 0, outputs_text + 0, undo == '1', within == '1'
if asked > CREDITS_MAX then return {'INVALID', 'amount'} end
if is_undo and asked > 0 then return {'INVALID', 'undo'} end
if outputs > OUTPUTS_MAX then return {'INVALID', 'outputs'} end
if KEYS[8] and (int(ARGV[7]) or 0) == 0 then return {'INVALID', 'answer'} end

local ends = endings()
call('ZCARD', KEYS[3])
local raw_open, raw_done = call('HGET', KEYS[2], id), call('HGET', KEYS[4], id)
local d = not raw_open and raw_done and ends.parse_done(raw_done)
local record = raw_open or d and d.record ~= '' and d.record
local r = record and ends.parse_record(record)
local is_lost = not record and not d
if is_lost and context ~= '' then
  local held, starts, day, project, member, key, fingerprint, price_list, usage = match(context,
    '^(%d+)\t(%d+:(%d+):%d+:%d+)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)$')
  r = int(held) and { -- in the form of a hold's record
    amount = held + 0, amount_text = held, starts = starts, day = day, project = project, member = member, key = key,
    fingerprint = fingerprint, price_list = price_list, usage = usage, fields = scope_fields(project, member, key),
  }
  if not r then return {'INVALID', 'context'} end
end
if raw_open and r.policy == 'j' then call('HLEN', KEYS[6]) end
local keys = {bal = KEYS[1], open = KEYS[2], due = KEYS[3], journal = KEYS[5], jobs = KEYS[6]}
local book = read_book(keys, r and r.fields or {})

local function reply(status, charged, freed, state, over, seq)
  return {
    status, charged, freed, available(book), book.held, state, over and '1' or '0', seq,
  }
end

if is_lost then
  -- An older id may be of a hold whose end is forgotten; nothing can make a hold of it either.
  local id_ms = tonumber(string.sub(id, 1, 12), 16)
  if not (r or is_undo) or not book.rules or not id_ms or not is_recent(book.now, id_ms) then
    return reply('GONE', 0, 0, '', false, '0')
  end
end
if d then
  local by_time, over = d.state == 'X' or d.state == 'C', d.charged > d.amount
  -- All of the hold and as much of the rest as there was: what is asked now may have been asked then.
  local as_far = is_within and d.charged >= d.amount and d.charged < asked and d.state ~= 'R' and d.state ~= 'V'
  if not by_time and d.charged ~= asked and not as_far then
    return reply('MISMATCH', d.charged, 0, d.state, over, '0')
  end
  if not by_time or (d.state == 'X' and asked == 0) then return reply('DUPLICATE', d.charged, 0, d.state, over, '0') end
end

local before, amount = raw_open and r.amount or d and d.charged or 0, asked
if is_within and amount > r.amount then
  amount = math.min(amount, r.amount + math.max(0, available(book) - r.amount + before))
end
-- What others hold counts, because time may yet charge it.
if book.charged + book.held - before + amount > CREDITS_MAX then
  return {'INVALID', 'amount: the charged total would pass 9e15'}
end
outputs_text = str(outputs)
if is_lost and asked == 0 then
  ends.remember(book, id, KEYS[4], 'V', '0', '0', '', '')
  local seq = append(book, 'void', id, '0', '0', '', '', '', '', '', '', why, '', '', meta)
  flush(book)
  return reply('VOIDED', 0, 0, '', false, seq)
end

if KEYS[8] and asked > 0 then later(book, 'SET', KEYS[8], ARGV[6], 'PX', ARGV[7]) end
if is_lost then
  -- The hold's windows may have been lost with it: where the counters are of an older one, its own begins.
  for _, field in ipairs(r.fields) do
    local scope = book.scopes[field]
    local current, mine = split(scope[11]), split(r.starts)
    for p = 1, 4 do
      if mine[p] + 0 > current[p] + 0 then current[p], scope[2 * p + 1], scope[2 * p + 2] = mine[p], '0', '0' end
    end
    scope[11] = table.concat(current, ':')
  end
  ends.spend(book, r, amount)
  local text = str(amount)
  ends.remember(book, id, KEYS[4], 'O', text, str(r.amount), r.fingerprint, '')
  local seq = append(
    book, 'orphan', id, r.amount_text, text, '', r.project, r.member, r.key, r.starts, r.price_list, why, '',
    r.usage .. '|' .. outputs_text, meta
  )
  ends.count_end(book, bucket, id, r, amount, outputs, 1)
  flush(book)
  return reply('ORPHAN', amount, 0, '', amount > r.amount, seq)
end
if d then
  -- A hold that time had released is charged like new spend; of a charge by time the difference moves.
  if d.state == 'X' then
    ends.spend(book, r, amount)
  else
    book.charged = book.charged - before + amount
    move_scopes(book, r.fields, r.starts, amount - before, 0)
  end
  local text = str(amount)
  ends.remember(book, id, KEYS[4], 'L', text, str(d.amount), d.fingerprint, '')
  local seq = ends.append_for(book, 'late', id, r, text, why, outputs_text, meta)
  if d.state == 'C' and r.amount > 0 then -- counted as charged, whatever was refunded of it since
    ends.move_usage(book, bucket, id, r, -before, -1, 0, 0)
  else
    ends.count_end(book, bucket, id, r, before, 0, -1)
  end
  ends.count_end(book, bucket, id, r, amount, outputs, 1)
  if d.state == 'C' and r.parts ~= '' then (book.lots or open_lots(book, '')).divide(r.parts, amount, 'used') end
  flush(book)
  return reply('LATE', amount, math.max(0, before - amount), d.state, amount > d.amount, seq)
end

local state, kind, status = 'S', 'settle', 'SETTLED'
if asked == 0 then state, kind, status = 'R', 'release', 'RELEASED' end
local seq = ends.resolve(book, id, r, amount, state, kind, KEYS[4], bucket, why, outputs_text, meta)
flush(book)
return reply(status, amount, math.max(0, r.amount - amount), r.state, amount > r.amount, seq)
