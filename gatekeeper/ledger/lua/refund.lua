-- refund.lua: give credits of a charge back, once per refund id, and of a charge never more than it was.
--
-- What comes back never expires: it joins the common pot, whatever the hold had taken it from. It leaves the counters of
-- the hold's scopes, for life and in those of its windows that are still the current ones, and the row of usage that the
-- hold was counted in.
--
-- KEYS (5, one hash tag)
--   1 bal HASH   2 refunds HASH (refund id -> what it was of; 'of:<seq>' -> what was refunded of that charge)
--   3 journal STREAM   4 done HASH of the UTC day in the hold id   5 usage HASH of its UTC month
-- ARGV (7)
--   1 refund id, no ':' in it   2 sequence of the journal entry that charged: settle, late, charge or orphan
--   3 amount (micro-credits, 1 .. 9e15; '' = all that is left of it)   4 why   5 actor
--   6 hold id, which the entry has to be about
--   7 sure 0|1   whoever asks has seen that no late result follows a charge by policy; needed once that is forgotten
-- Reply, one of (credits are text)
--   {'REFUNDED', amount, refunded in all, charged after it, available, seq}
--   {'DUPLICATE'|'MISMATCH', amount before, refunded in all, charged after it, available, '0'}
--   {'CAPPED', left, refunded in all}     more than is left of the charge; nothing was changed
--   {'GONE'}           the charge or its hold is in the journal no longer
--   {'NO_CHARGE', kind}      that entry charged nothing
--   {'SUPERSEDED'}     a late result came in place of that charge
--   {'UNSURE'}         whether one came is remembered no longer: look, and say so
--   {'NO_TEAM'}   {'INVALID', what}
-- Example
--   EVALSHA <sha> 5 gk:{a}:bal gk:{a}:refunds gk:{a}:j gk:{a}:done:20414 gk:{a}:usage:2025-11
--     black-image 3 24000000 'all black' amy 019aab... 0
--   -> {'REFUNDED', '24000000', '24000000', '0', '490000000', '4'}

assert(#KEYS == 5, 'refund takes 5 keys')
assert(#ARGV == 7, 'refund takes 7 arguments')

local CHARGES = {settle = true, late = true, charge = true, orphan = true}

local id, asked, hold_id = ARGV[1], int(ARGV[3]), ARGV[6]
if not match(id, '^[^%c:]+$') then return {'INVALID', 'refund id'} end
if not int(ARGV[2]) then return {'INVALID', 'sequence'} end
if ARGV[3] ~= '' and (asked or 0) == 0 then return {'INVALID', 'amount'} end
local seq = str(int(ARGV[2]))

local function entry_of(place)
  local found = call('XRANGE', KEYS[3], place .. '-0', place .. '-0')[1]
  if not found then return nil end
  local kind, about, charged, hold_seq, project, member, key, windows, price_list, usage = match(found[2][2],
    '^(%l+)\t%d+\t([^\t]*)\t%d+\t(%d+)\t(%d*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t[^\t]*\t[^\t]*\t([^\t]*)\t')
  assert(kind, 'an entry of the journal cannot be read')
  return {
    kind = kind, about = about, charged = charged + 0, hold_seq = hold_seq, project = project, member = member,
    key = key, starts = windows, day = match(windows, '^%d+:(%d+)'), price_list = price_list,
    usage = kind == 'orphan' and string.gsub(usage, '|%d*$', '') or usage, -- one has its outputs behind it
  }
end

local before, of = call('HMGET', KEYS[2], id, 'of:' .. seq), 'of:' .. seq
local charge = entry_of(seq)
local hold = charge and (charge.kind == 'orphan' and charge or charge.hold_seq ~= '' and entry_of(charge.hold_seq))
local fields = hold and scope_fields(charge.project, charge.member, charge.key) or {}
local book = read_book({bal = KEYS[1], journal = KEYS[3]}, fields)
if not book.rules then return {'NO_TEAM'} end
if before[1] then
  local of_seq, amount = match(before[1], '^(%d+)\t(%d+)\t')
  assert(of_seq, 'a refund cannot be read')
  local all, charged = match(call('HGET', KEYS[2], 'of:' .. of_seq) or '', '^(%d+)\t(%d+)$')
  assert(all, 'the refunds of a charge cannot be read')
  local is_same = of_seq == seq and (not asked or str(asked) == amount)
  return {is_same and 'DUPLICATE' or 'MISMATCH', amount, all, str(charged - all), str(available(book)), '0'}
end
if not charge then return {'GONE'} end
if not CHARGES[charge.kind] or charge.charged == 0 then return {'NO_CHARGE', charge.kind} end
if not hold then return {'GONE'} end
if charge.about ~= hold_id then return {'INVALID', 'hold id'} end

-- A charge by policy is what it was until a late result comes; that one counts against what is charged now.
local done, d = charge.kind == 'charge', nil
if done then
  local raw = call('HGET', KEYS[4], hold_id)
  if not raw and ARGV[7] ~= '1' then return {'UNSURE'} end
  d = raw and endings().parse_done(raw)
  if d and d.state ~= 'C' then return {'SUPERSEDED'} end
end

local refunded = 0
if before[2] then
  refunded = int(match(before[2], '^(%d+)\t%d+$'))
  assert(refunded, 'the refunds of a charge cannot be read')
end
local left = charge.charged - refunded
local amount = asked or left
if amount == 0 or amount > left then return {'CAPPED', str(left), str(refunded)} end

book.charged = book.charged - amount
move_scopes(book, fields, hold.starts, -amount, 0)
for field, scope in pairs(book.scopes) do -- flush would take one without windows and use for one that is not there
  if scope[1] == '0' and scope[11] == '0:0:0:0' then
    later(book, 'HSET', KEYS[1], field, scope_text(scope))
  end
end
endings().move_usage(book, KEYS[5], hold_id, hold, -amount, 0, 0, 0)
local entry_seq = append(
  book, 'refund', id, str(amount), str(left - amount), seq, charge.project, charge.member, charge.key, hold.starts,
  charge.price_list, ARGV[4], ARGV[5], hold.usage, '{"hold":"' .. hold_id .. '","of":"' .. charge.kind .. '"}'
)
flush(book)
call('HSET', KEYS[2], id, seq .. '\t' .. str(amount) .. '\t' .. hold_id .. '\t' .. book.now_text .. '\t' .. entry_seq,
  of, str(refunded + amount) .. '\t' .. str(charge.charged))
if d then
  call('HSET', KEYS[4], hold_id, 'C\t' .. str(d.charged - amount) .. '\t' .. str(d.amount) .. '\t' .. d.fingerprint
    .. '\t' .. d.record)
end
return {'REFUNDED', str(amount), str(refunded + amount), str(left - amount), str(available(book)), entry_seq}
