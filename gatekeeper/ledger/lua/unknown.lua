-- unknown.lua: mark a hold whose outcome nobody knows. Its credits stay aside; its grace runs from now.
--
-- KEYS (5, one hash tag)
--   1 bal HASH   2 open HASH   3 due ZSET   4 done HASH of the UTC day in the hold id   5 journal STREAM
-- ARGV (2)
--   1 hold id   2 why: reason for the journal
-- Reply, one of
--   {'UNKNOWN', deadline ms, seq}   {'DUPLICATE', deadline ms or 0, 0}   {'RESOLVED', 0, 0}   {'GONE', 0, 0}
-- Example
--   EVALSHA <sha> 5 gk:{a}:bal gk:{a}:open gk:{a}:due gk:{a}:done:20414 gk:{a}:j 019aab... timeout
--   -> {'UNKNOWN', '1763800060000', '3'}

assert(#KEYS == 5, 'unknown takes 5 keys')
assert(#ARGV == 2, 'unknown takes 2 arguments')

local id = ARGV[1]
local book = read_book({bal = KEYS[1], open = KEYS[2], due = KEYS[3], journal = KEYS[5]}, {})
local raw, score = call('HGET', KEYS[2], id), call('ZSCORE', KEYS[3], id)
if not raw then
  if call('HEXISTS', KEYS[4], id) == 1 then return {'RESOLVED', '0', '0'} end
  return {'GONE', '0', '0'}
end
local ends = endings()
local r = ends.parse_record(raw)
if r.state == 'U' then return {'DUPLICATE', score and str(score) or '0', '0'} end

local deadline = book.now + ends.turn_unknown(r)
local seq = ends.append_for(book, 'unknown', id, r, '0', ARGV[2], '', '')
flush(book)
call('HSET', KEYS[2], id, r.raw)
call('ZADD', KEYS[3], str(deadline), id)
return {'UNKNOWN', str(deadline), seq}
