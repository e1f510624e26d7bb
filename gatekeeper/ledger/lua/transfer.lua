-- transfer.lua: take credits from a team for another one, once per transfer id; or note that the other one has them.
--
-- Only credits that are free and never expire are handed on. The other team is given them by grant.lua, in its own slot;
-- until that is noted here the transfer is pending, and whoever comes by finishes it.
--
-- KEYS (3, one hash tag)
--   1 bal HASH   2 transfers HASH (transfer id -> where it stands and what it is)   3 journal STREAM
-- ARGV (6)
--   1 transfer id, no ':' in it   2 the team that gets it   3 amount (micro-credits, 1 .. 9e15)   4 why   5 actor
--   6 given 0|1   the other team has it
-- Reply, one of (credits are text)
--   {'TAKEN', available, seq, at}        taken from this team; the other one has it not yet
--   {'PENDING'|'GIVEN', available, '0', at}    taken before, with the same words; GIVEN: the other one has it
--   {'MISMATCH', to, amount}             the id is of another transfer
--   {'SHORT', what could be handed on, available}
--   {'NONE'}    there is no such transfer to be noted as given
--   {'NO_TEAM'}   {'INVALID', what}
-- Example
--   EVALSHA <sha> 3 gk:{a}:bal gk:{a}:transfers gk:{a}:j summer b 5000000 'their turn' amy 0
--   -> {'TAKEN', '485000000', '3', '1763800000000'}

assert(#KEYS == 3, 'transfer takes 3 keys')
assert(#ARGV == 6, 'transfer takes 6 arguments')

local id, to, amount, given = ARGV[1], ARGV[2], int(ARGV[3]), ARGV[6] == '1'
if not match(id, '^[^%c:]+$') then return {'INVALID', 'transfer id'} end
if not match(to, '^[%w._-]+$') then return {'INVALID', 'team'} end
if (amount or 0) == 0 then return {'INVALID', 'amount'} end

local before = call('HGET', KEYS[2], id)
local book = read_book({bal = KEYS[1], journal = KEYS[3]}, {})
if not book.rules then return {'NO_TEAM'} end
if before then
  local state, there, taken, at, seq = match(before, '^([pd])\t([^\t]*)\t(%d+)\t(%d+)\t(%d+)$')
  assert(state, 'a transfer cannot be read')
  if there ~= to or taken ~= str(amount) then return {'MISMATCH', there, taken} end
  if given and state == 'p' then call('HSET', KEYS[2], id, 'd' .. string.sub(before, 2)) end
  return {(given or state == 'd') and 'GIVEN' or 'PENDING', str(available(book)), '0', at}
end
if given then return {'NONE'} end

local pot = available(book)
for _, lot in ipairs(book.lots or {}) do pot = pot - (lot.amount - lot.used - lot.held) end
if amount > pot then return {'SHORT', str(math.max(0, pot)), str(math.max(0, available(book)))} end

book.granted = book.granted - amount
local seq = append(
  book, 'transfer', id, str(amount), '0', '', '', '', '', '', '', ARGV[4], ARGV[5], '', '{"to":"' .. to .. '"}'
)
flush(book)
call('HSET', KEYS[2], id, 'p\t' .. to .. '\t' .. str(amount) .. '\t' .. book.now_text .. '\t' .. seq)
return {'TAKEN', str(available(book)), seq, book.now_text}
