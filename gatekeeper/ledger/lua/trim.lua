-- trim.lua: cut the first entries of a team's journal off and keep, in the same step, what they come to.
--
-- Only what was exported is cut, and only onto the checkpoint that the new one was derived from.
--
-- KEYS (3, one hash tag)
--   1 bal HASH   2 base HASH   3 journal STREAM
-- ARGV (3)
--   1 sequence of the checkpoint that is there ('0': none)
--   2 sequence of the new one: the last entry to cut off
--   3 state: the books after that entry, as JSON text
-- Reply, one of
--   {'TRIMMED', entries cut off}
--   {'MOVED', sequence of the checkpoint that is there}    another trim came first; nothing was changed
--   {'NOT_EXPORTED', last sequence that is exported}       nothing was changed
--   {'INVALID', what}
-- Example
--   EVALSHA <sha> 3 gk:{a}:bal gk:{a}:base gk:{a}:j 0 20000 '{"seq":20000,..}'
--   -> {'TRIMMED', '20000'}

assert(#KEYS == 3, 'trim takes 3 keys')
assert(#ARGV == 3, 'trim takes 3 arguments')

local before, seq = int(ARGV[1]), int(ARGV[2])
if not before or not seq then return {'INVALID', 'sequence'} end
if ARGV[3] == '' then return {'INVALID', 'state'} end
local book = read_book({bal = KEYS[1]}, {})
local base = call('HMGET', KEYS[2], 'exported', 'seq')
local exported, current = tonumber(base[1] or '0'), tonumber(base[2] or '0')
call('XLEN', KEYS[3])
if current ~= before then return {'MOVED', str(current)} end
if seq <= before then return {'INVALID', 'sequence: a checkpoint only moves on'} end
if seq > exported then return {'NOT_EXPORTED', str(exported)} end
if seq > last_seq(book) then return {'INVALID', 'sequence: the journal ends at ' .. str(last_seq(book))} end

call('HSET', KEYS[2], 'seq', str(seq), 'state', ARGV[3])
return {'TRIMMED', str(call('XTRIM', KEYS[3], 'MINID', str(seq + 1) .. '-0'))}
