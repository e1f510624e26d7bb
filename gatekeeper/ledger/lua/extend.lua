-- extend.lua: whoever works on what a hold is for needs more time. Its deadline is put off, never brought nearer.
--
-- A hold that time has made unknown meanwhile is known again, as long as its grace runs. One that is kept, or follows a
-- job, is not time's to end, so there is nothing to put off.
--
-- KEYS (5, one hash tag)
--   1 bal HASH   2 open HASH   3 due ZSET   4 done HASH of the UTC day in the hold id   5 journal STREAM
-- ARGV (2)
--   1 hold id   2 ttl: ms from now in which an outcome may come
-- Reply, one of
--   {'EXTENDED', deadline ms, seq}   {'DUPLICATE', deadline ms, 0}: it has as long already
--   {'KEPT', 0, 0}: no deadline, or a job's   {'RESOLVED', 0, 0}   {'GONE', 0, 0}   {'INVALID', what}
-- Example
--   EVALSHA <sha> 5 gk:{a}:bal gk:{a}:open gk:{a}:due gk:{a}:done:20414 gk:{a}:j 019aab... 900000
--   -> {'EXTENDED', '1763800900000', '3'}

assert(#KEYS == 5, 'extend takes 5 keys')
assert(#ARGV == 2, 'extend takes 2 arguments')

local id, ttl = ARGV[1], int(ARGV[2])
if not ttl then return {'INVALID', 'ttl'} end

local book = read_book({bal = KEYS[1], open = KEYS[2], due = KEYS[3], journal = KEYS[5]}, {})
local raw, score = call('HGET', KEYS[2], id), call('ZSCORE', KEYS[3], id)
if not raw then
  if call('HEXISTS', KEYS[4], id) == 1 then return {'RESOLVED', '0', '0'} end
  return {'GONE', '0', '0'}
end
local ends = endings()
local r = ends.parse_record(raw)
if r.policy == 'j' or not score then return {'KEPT', '0', '0'} end
local deadline = book.now + ttl
if r.state == 'H' and tonumber(score) >= deadline then return {'DUPLICATE', str(score), '0'} end

local text = str(deadline)
local seq = ends.append_for(book, 'extend', id, r, '0', '', '', '')
flush(book)
call('HSET', KEYS[2], id, 'H' .. string.sub(raw, 2))
call('ZADD', KEYS[3], text, id)
return {'EXTENDED', text, seq}
