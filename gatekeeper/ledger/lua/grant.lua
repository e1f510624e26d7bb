-- grant.lua: give a team credits, once per grant id.
--
-- KEYS (4, one hash tag)
--   1 team HASH   2 bal HASH   3 grants HASH (grant id -> amount)   4 journal STREAM
-- ARGV (4)
--   1 grant id   2 amount (micro-credits, 1 .. 9e15)   3 note   4 actor
-- Reply, one of
--   {'GRANTED', granted in all, available, seq}   {'DUPLICATE'}   {'MISMATCH', amount before}
--   {'NO_TEAM'}   {'INVALID', what}
-- Example
--   EVALSHA <sha> 4 gk:{a}:team gk:{a}:bal gk:{a}:grants gk:{a}:j opening 1000000000 '' admin
--   -> {'GRANTED', '1000000000', '1000000000', '1'}

assert(#KEYS == 4, 'grant takes 4 keys')
assert(#ARGV == 4, 'grant takes 4 arguments')

local id, amount = ARGV[1], int(ARGV[2])
if not amount or amount == 0 then return {'INVALID', 'amount'} end
if call('HEXISTS', KEYS[1], 'timezone') == 0 then return {'NO_TEAM'} end
local before = call('HGET', KEYS[3], id)
if before == str(amount) then return {'DUPLICATE'} end
if before then return {'MISMATCH', before} end
local book = read_book({bal = KEYS[2], journal = KEYS[4]}, {})
if book.granted + amount > CREDITS_MAX then return {'INVALID', 'amount: the granted total would pass 9e15'} end

book.granted = book.granted + amount
local seq = append(book, 'grant', id, str(amount), '0', '', '', '', '', '', '', ARGV[3], ARGV[4], '')
flush(book)
call('HSET', KEYS[3], id, str(amount))
return {'GRANTED', str(book.granted), str(available(book)), seq}
