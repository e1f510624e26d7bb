-- expire.lua: let time act on the named holds, each by its own policy. Those not due (any more) are left alone.
--
-- KEYS (5 + d, one hash tag)
--   1 bal HASH   2 use HASH   3 open HASH   4 due ZSET   5 journal STREAM
--   6.. done HASH, one for each UTC day that occurs in the ids
-- ARGV (2 per hold, at most 200 holds)
--   hold id, index in KEYS of its done bucket
-- Reply: one {id, 'unknown'|'expire'|'charge'|'keep', amount, seq} for each transition, in order;
--   {'INVALID', what} if the arguments cannot be used
-- Example
--   EVALSHA <sha> 6 gk:{a}:bal gk:{a}:use gk:{a}:open gk:{a}:due gk:{a}:j gk:{a}:done:20414 019aab... 6
--   -> {{'019aab...', 'unknown', '49000000', '3'}, {'019aab...', 'expire', '49000000', '4'}}

assert(#KEYS >= 5, 'expire takes 5 keys and the done buckets')
assert(#ARGV % 2 == 0 and #ARGV <= 400, 'expire takes an id and a key index for each hold, at most 200 holds')

local book = read_book({bal = KEYS[1], use = KEYS[2], open = KEYS[3], due = KEYS[4], journal = KEYS[5]})
local out = {}
for i = 6, #KEYS do redis.call('HLEN', KEYS[i]) end
for i = 1, #ARGV, 2 do
  local id, index = ARGV[i], int(ARGV[i + 1])
  if not index or index < 6 or index > #KEYS then return {'INVALID', 'key index'} end
  local score, raw = redis.call('ZSCORE', KEYS[4], id), redis.call('HGET', KEYS[3], id)
  local r = raw and parse_record(raw)
  if r and score and tonumber(score) <= book.now then pass_deadline(book, id, r, KEYS[index], out) end
end
flush(book)
return out
