-- job.lua: let a hold follow an asynchronous job. From now on its result resolves it, never time alone.
--
-- When the new deadline passes the hold becomes unknown and is then kept, whatever its policy was. Attaching the same
-- job again changes nothing, unless the hold has become unknown meanwhile: then the job is known again, with a new deadline.
--
-- KEYS (6, one for each name, one if there is an answer to keep; one hash tag)
--   1 bal HASH   2 open HASH   3 due ZSET   4 done HASH of the UTC day in the hold id   5 journal STREAM
--   6 jobs HASH (hold id -> job)   then up to 4 names STRING, by which the job is found   then answer STRING, of this hold
-- ARGV (5, or 7 if there is an answer to keep)
--   1 hold id   2 job: text, not empty   3 ttl: ms until its result is overdue
--   4 how many names; each gets the hold id, a line break, and the job, if the job is attached now
--   5 ms the names are kept for   6 answer, kept if the job is attached now   7 ms it is kept for
-- Reply, one of
--   {'ATTACHED', deadline ms, seq}   {'DUPLICATE', deadline ms, 0}   {'MISMATCH', deadline ms or 0, 0}: follows another
--   {'RESOLVED', 0, 0}   {'GONE', 0, 0}   {'INVALID', what}
-- Example
--   EVALSHA <sha> 7 gk:{a}:bal gk:{a}:open gk:{a}:due gk:{a}:done:20414 gk:{a}:j gk:{a}:jobs gk:{a}:job:fal/gen-7
--     019aab... '{"id":"gen-7"}' 3600000 1 608400000
--   -> {'ATTACHED', '1763803600000', '3'}

assert(#ARGV == 5 or #ARGV == 7, 'job takes 5 arguments, with an answer 7')
local id, job, ttl, names, answered = ARGV[1], ARGV[2], int(ARGV[3]), int(ARGV[4]) or -1, #ARGV == 7
assert(#KEYS == 6 + names + (answered and 1 or 0), 'job takes 6 keys, one more for each name, and one for an answer')
if job == '' then return {'INVALID', 'job'} end
if not ttl then return {'INVALID', 'ttl'} end
if names > 0 and (int(ARGV[5]) or 0) == 0 then return {'INVALID', 'time of its names'} end
if answered and (int(ARGV[7]) or 0) == 0 then return {'INVALID', 'answer'} end

local book = read_book({bal = KEYS[1], open = KEYS[2], due = KEYS[3], journal = KEYS[5]}, {})
local raw, score, before = call('HGET', KEYS[2], id), call('ZSCORE', KEYS[3], id), call('HGET', KEYS[6], id)
if not raw then
  if call('HEXISTS', KEYS[4], id) == 1 then return {'RESOLVED', '0', '0'} end
  return {'GONE', '0', '0'}
end
local ends = endings()
local r = ends.parse_record(raw)
local deadline_before = score and str(score) or '0'
if before and before ~= job then return {'MISMATCH', deadline_before, '0'} end
if before and r.state == 'H' then return {'DUPLICATE', deadline_before, '0'} end

local deadline = str(book.now + ttl)
-- The journal gets its name, not what is known of it: that may hold a secret, and journals are kept and handed on.
local name = names > 0 and string.match(KEYS[7], ':job:(.*)$') or ''
local seq = ends.append_for(book, 'job', id, r, '0', '', '', name)
for i = 7, 6 + names do later(book, 'SET', KEYS[i], id .. '\n' .. job, 'PX', ARGV[5]) end
if answered then later(book, 'SET', KEYS[#KEYS], ARGV[6], 'PX', ARGV[7]) end
flush(book)
call('HSET', KEYS[2], id, (string.gsub(raw, '^%u(\t%d+\t%d+\t)%l', 'H%1j', 1)))
call('HSET', KEYS[6], id, job)
call('ZADD', KEYS[3], deadline, id)
return {'ATTACHED', deadline, seq}
