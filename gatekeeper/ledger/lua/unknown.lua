-- unknown.lua: mark a hold whose outcome nobody knows. Its credits stay aside; its grace runs from now.
--
-- KEYS (6, one hash tag)
--   1 bal HASH   2 use HASH   3 open HASH   4 due ZSET   5 done HASH of the UTC day in the hold id   6 journal STREAM
-- ARGV (2)
--   1 hold id   2 why: reason for the journal
-- Reply, one of
--   {'UNKNOWN', deadline ms, seq}   {'DUPLICATE', deadline ms or 0, 0}   {'RESOLVED', 0, 0}   {'GONE', 0, 0}
-- Example
--   EVALSHA <sha> 6 gk:{a}:bal gk:{a}:use gk:{a}:open gk:{a}:due gk:{a}:done:20414 gk:{a}:j 019aab... timeout
--   -> {'UNKNOWN', '1763800060000', '3'}

assert(#KEYS == 6, 'unknown takes 6 keys')
assert(#ARGV == 2, 'unknown takes 2 arguments')

local id = ARGV[1]
local book = read_book({bal = KEYS[1], use = KEYS[2], open = KEYS[3], due = KEYS[4], journal = KEYS[6]})
local raw, score = redis.call('HGET', KEYS[3], id), redis.call('ZSCORE', KEYS[4], id)
if not raw then
  if redis.call('HEXISTS', KEYS[5], id) == 1 then return {'RESOLVED', '0', '0'} end
  return {'GONE', '0', '0'}
end
local r = parse_record(raw)
if r.state == 'U' then return {'DUPLICATE', score and str(tonumber(score)) or '0', '0'} end

r.state = 'U'
local deadline = book.now + r.grace
local seq = append_for(book, 'unknown', id, r, 0, ARGV[2], '')
later(book, 'HSET', KEYS[3], id, format_record(r))
later(book, 'ZADD', KEYS[4], str(deadline), id)
flush(book)
return {'UNKNOWN', str(deadline), str(seq)}
