-- grant.lua: give a team credits, once per grant id.
--
-- With an expiry the credits are a lot of their own, from which is spent before others: soonest first.
--
-- KEYS (5, one hash tag)
--   1 team HASH   2 bal HASH   3 grants HASH (grant id -> amount[, tab, expiry])   4 journal STREAM   5 due ZSET
-- ARGV (5)
--   1 grant id   2 amount (micro-credits, 1 .. 9e15)   3 note   4 actor   5 expiry (ms, after now; '' = never)
-- Reply, one of
--   {'GRANTED', granted in all, available, seq}   {'DUPLICATE'}   {'MISMATCH', amount before, expiry before}
--   {'NO_TEAM'}   {'INVALID', what}
-- Example
--   EVALSHA <sha> 5 gk:{a}:team gk:{a}:bal gk:{a}:grants gk:{a}:j gk:{a}:due opening 1000000000 '' admin ''
--   -> {'GRANTED', '1000000000', '1000000000', '1'}

assert(#KEYS == 5, 'grant takes 5 keys')
assert(#ARGV == 5, 'grant takes 5 arguments')

local LOTS_MAX = 64 -- every step of the team walks them

local id, amount, expires = ARGV[1], int(ARGV[2]), int(ARGV[5])
if not amount or amount == 0 then return {'INVALID', 'amount'} end
if ARGV[5] ~= '' and not expires then return {'INVALID', 'expires_at_ms'} end
if match(id, '%c') then return {'INVALID', 'grant id'} end
if call('HEXISTS', KEYS[1], 'timezone') == 0 then return {'NO_TEAM'} end
local text = expires and str(amount) .. '\t' .. str(expires) or str(amount)
local before = call('HGET', KEYS[3], id)
if before == text then return {'DUPLICATE'} end
if before then return {'MISMATCH', match(before, '^%d+'), match(before, '\t(%d+)$') or ''} end
call('ZCARD', KEYS[5])
local book = read_book({bal = KEYS[2], journal = KEYS[4], due = KEYS[5]}, {})
if book.granted + amount > CREDITS_MAX then return {'INVALID', 'amount: the granted total would pass 9e15'} end
if expires and expires <= book.now then
  return {'INVALID', 'expires_at_ms: ' .. str(expires) .. ' is past, the store\'s time is ' .. book.now_text}
end
local lots = book.lots or {}
local count = 0
for _, lot in ipairs(lots) do
  if lot.held > 0 or lot.expires > book.now then count = count + 1 end
end
if expires and count >= LOTS_MAX then
  return {'INVALID', 'expires_at_ms: the team has ' .. LOTS_MAX .. ' grants that are still to expire, and no more are kept'}
end

book.granted = book.granted + amount
local seq = append(
  book, 'grant', id, str(amount), '0', '', '', '', '', expires and str(expires) or '', '', ARGV[3], ARGV[4], '', ''
)
if expires then
  lots = book.lots or open_lots(book, '')
  local place = 1
  while lots[place] and lots[place].expires <= expires do place = place + 1 end
  table.insert(lots, place, {seq = seq, expires = expires, amount = amount, used = 0, held = 0, id = id})
  later(book, 'ZADD', KEYS[5], str(expires), 'lapse:' .. seq)
end
flush(book)
call('HSET', KEYS[3], id, text)
return {'GRANTED', str(book.granted), str(available(book)), seq}
