-- settle.lua: book what a hold really cost and free the rest. A release is a settle of 0.
--
-- A hold is resolved once. If time had resolved it before, the result is booked once as the fact it is (LATE): it may
-- take the team below zero, or give back what a policy had charged.
--
-- KEYS (6, one hash tag)
--   1 bal HASH   2 use HASH   3 open HASH   4 due ZSET   5 done HASH of the UTC day in the hold id   6 journal STREAM
-- ARGV (4)
--   1 hold id   2 amount (micro-credits, 0 .. 9e15; more than was held is booked too)
--   3 why       outcome or reason, for the journal   4 meta small JSON text for the journal
-- Reply, one of
--   {'SETTLED'|'RELEASED', charged, freed, available, held, state met, over 0|1, seq}
--   {'LATE', charged, freed, available, held, state met, over 0|1, seq}    freed: what went back of a charge by policy
--   {'DUPLICATE'|'MISMATCH', charged before, 0, available, held, state met, over 0|1, 0}
--   {'GONE', 0, 0, available, held, '', 0, 0}   {'INVALID', what}
-- Example
--   EVALSHA <sha> 6 gk:{a}:bal gk:{a}:use gk:{a}:open gk:{a}:due gk:{a}:done:20414 gk:{a}:j 019aab... 24000000 made '{}'
--   -> {'SETTLED', '24000000', '25000000', '466000000', '0', 'H', '0', '3'}

assert(#KEYS == 6, 'settle takes 6 keys')
assert(#ARGV == 4, 'settle takes 4 arguments')

local id, amount, why, meta = ARGV[1], int(ARGV[2]), ARGV[3], ARGV[4]
if not amount then return {'INVALID', 'amount'} end

local book = read_book({bal = KEYS[1], use = KEYS[2], open = KEYS[3], due = KEYS[4], journal = KEYS[6]})
redis.call('ZSCORE', KEYS[4], id)
local raw_open, raw_done = redis.call('HGET', KEYS[3], id), redis.call('HGET', KEYS[5], id)

local TOO_MUCH = {'INVALID', 'amount: the charged total would pass 9e15'}
local function reply(status, charged, freed, state, over, seq)
  return {
    status, str(charged), str(freed), str(available(book)), str(book.held), state, over and '1' or '0', str(seq),
  }
end

if raw_open then
  if book.charged + amount > CREDITS_MAX then return TOO_MUCH end
  local r = parse_record(raw_open)
  local state, kind, status = 'S', 'settle', 'SETTLED'
  if amount == 0 then state, kind, status = 'R', 'release', 'RELEASED' end
  local seq = resolve(book, id, r, amount, state, kind, KEYS[5], why, meta)
  flush(book)
  return reply(status, amount, math.max(0, r.amount - amount), r.state, amount > r.amount, seq)
end
if not raw_done then return reply('GONE', 0, 0, '', false, 0) end

local d = parse_done(raw_done)
local by_time, over = d.state == 'X' or d.state == 'C', d.charged > d.amount
if not by_time and d.charged ~= amount then return reply('MISMATCH', d.charged, 0, d.state, over, 0) end
if not by_time or (d.state == 'X' and amount == 0) then return reply('DUPLICATE', d.charged, 0, d.state, over, 0) end

if book.charged + amount - d.charged > CREDITS_MAX then return TOO_MUCH end
local r = parse_record(d.record)
book.charged = book.charged + amount - d.charged
move_scopes(book, r.fields, r.starts, 0, amount - d.charged)
remember(book, KEYS[5], id, table.concat({'L', str(amount), str(d.amount), d.fingerprint}, '\t'))
local seq = append_for(book, 'late', id, r, amount, why, meta)
flush(book)
return reply('LATE', amount, math.max(0, d.charged - amount), d.state, amount > d.amount, seq)
