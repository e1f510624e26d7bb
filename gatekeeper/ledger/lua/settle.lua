-- settle.lua: book what a hold really cost and free the rest. A release is a settle of 0.
--
-- A hold is resolved once. If time had resolved it before, the result is booked once as the fact it is (LATE): it may
-- take the team below zero, or give back what a policy had charged.
--
-- KEYS (5, one hash tag)
--   1 bal HASH   2 open HASH   3 due ZSET   4 done HASH of the UTC day in the hold id   5 journal STREAM
-- ARGV (4)
--   1 hold id   2 amount (micro-credits, 0 .. 9e15; more than was held is booked too)
--   3 why       outcome or reason, for the journal   4 meta small JSON text for the journal
-- Reply, one of
--   {'SETTLED'|'RELEASED', charged, freed, available, held, state met, over 0|1, seq}
--   {'LATE', charged, freed, available, held, state met, over 0|1, seq}    freed: what went back of a charge by policy
--   {'DUPLICATE'|'MISMATCH', charged before, 0, available, held, state met, over 0|1, 0}
--   {'GONE', 0, 0, available, held, '', 0, 0}   {'INVALID', what}
-- Example
--   EVALSHA <sha> 5 gk:{a}:bal gk:{a}:open gk:{a}:due gk:{a}:done:20414 gk:{a}:j 019aab... 24000000 made '{}'
--   -> {'SETTLED', '24000000', '25000000', '466000000', '0', 'H', '0', '3'}

assert(#KEYS == 5, 'settle takes 5 keys')
assert(#ARGV == 4, 'settle takes 4 arguments')

local id, amount, why, meta = ARGV[1], int(ARGV[2]), ARGV[3], ARGV[4]
if not amount then return {'INVALID', 'amount'} end

call('ZSCORE', KEYS[3], id)
local raw_open, raw_done = call('HGET', KEYS[2], id), call('HGET', KEYS[4], id)
local d = not raw_open and raw_done and parse_done(raw_done)
local record = raw_open or d and d.record ~= '' and d.record
local r = record and parse_record(record)
local keys = {bal = KEYS[1], open = KEYS[2], due = KEYS[3], journal = KEYS[5]}
local book = read_book(keys, r and r.fields or {})

local function reply(status, charged, freed, state, over, seq)
  return {
    status, str(charged), str(freed), str(available(book)), str(book.held), state, over and '1' or '0', seq,
  }
end

if not record and not d then return reply('GONE', 0, 0, '', false, '0') end
if d then
  local by_time, over = d.state == 'X' or d.state == 'C', d.charged > d.amount
  if not by_time and d.charged ~= amount then return reply('MISMATCH', d.charged, 0, d.state, over, '0') end
  if not by_time or (d.state == 'X' and amount == 0) then return reply('DUPLICATE', d.charged, 0, d.state, over, '0') end
end

local before = d and d.charged or 0
if book.charged + amount - before > CREDITS_MAX then
  return {'INVALID', 'amount: the charged total would pass 9e15'}
end
if d then
  -- A hold that time had released is charged like new spend; of a charge by time the difference moves.
  if d.state == 'X' then spend(book, amount) else book.charged = book.charged + amount - before end
  move_scopes(book, r.fields, r.starts, amount - before, 0)
  remember(book, id, KEYS[4], 'L', amount, d.amount, d.fingerprint, '')
  local seq = append_for(book, 'late', id, r, amount, why, meta)
  if d.state == 'C' and r.parts ~= '' then divide(book, r.parts, amount, 'used') end
  flush(book)
  return reply('LATE', amount, math.max(0, before - amount), d.state, amount > d.amount, seq)
end

local state, kind, status = 'S', 'settle', 'SETTLED'
if amount == 0 then state, kind, status = 'R', 'release', 'RELEASED' end
local seq = resolve(book, id, r, amount, state, kind, KEYS[4], why, meta)
flush(book)
return reply(status, amount, math.max(0, r.amount - amount), r.state, amount > r.amount, seq)
