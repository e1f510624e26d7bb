-- expire.lua: let time act on the named holds, each by its own policy. Those not due (any more) are left alone.
-- Lots past their time lapse in any case; `lapse:<seq>` among the ids is the reminder of one, and is taken away.
--
-- KEYS (4 + 2d, one hash tag)
--   1 bal HASH   2 open HASH   3 due ZSET   4 journal STREAM
--   5.. done HASH, one for each UTC day that occurs in the ids; then for each of them usage HASH of its month
-- ARGV (2 per member of due, at most 200 members)
--   hold id, index in KEYS of its done bucket; or lapse:<seq>, 0
-- Reply: one {id, 'unknown'|'expire'|'charge'|'keep', amount, seq} for each transition, in order;
--   {'INVALID', what} if the arguments cannot be used
-- Example
--   EVALSHA <sha> 6 gk:{a}:bal gk:{a}:open gk:{a}:due gk:{a}:j gk:{a}:done:20414 gk:{a}:usage:2025-11 019aab... 5
--   -> {{'019aab...', 'unknown', '49000000', '3'}, {'019aab...', 'expire', '49000000', '4'}}

assert(#KEYS >= 4 and #KEYS % 2 == 0, 'expire takes 4 keys, the done buckets, and as many usage buckets')
assert(#ARGV % 2 == 0 and #ARGV <= 400, 'expire takes an id and a key index for each member, at most 200 members')

local book = read_book({bal = KEYS[1], open = KEYS[2], due = KEYS[3], journal = KEYS[4]}, {})
local ends, out, days = endings(), {}, (#KEYS - 4) / 2
for i = 5, 4 + days do call('HLEN', KEYS[i]) end
for i = 1, #ARGV, 2 do
  local id, index = ARGV[i], int(ARGV[i + 1])
  local reminder = match(id, '^lapse:%d+$')
  if not reminder and (not index or index < 5 or index > 4 + days) then return {'INVALID', 'key index'} end
  local score, raw = call('ZSCORE', KEYS[3], id), call('HGET', KEYS[2], id)
  local r, due = raw and ends.parse_record(raw), score and tonumber(score) <= book.now
  if reminder and due then later(book, 'ZREM', KEYS[3], id) end
  if r and due then ends.pass_deadline(book, id, r, KEYS[index], KEYS[index + days], out) end
end
flush(book)
return out
