-- exported.lua: note up to which entry a team's journal has been written to files that are on disk.
--
-- KEYS (2, one hash tag)
--   1 bal HASH   2 base HASH
-- ARGV (1)
--   1 sequence of the last entry that is on disk
-- Reply, one of
--   {'EXPORTED', sequence}   what is noted now: it never goes back, so an export to a second place changes nothing
--   {'INVALID', what}
-- Example
--   EVALSHA <sha> 2 gk:{a}:bal gk:{a}:base 20000
--   -> {'EXPORTED', '20000'}

assert(#KEYS == 2, 'exported takes 2 keys')
assert(#ARGV == 1, 'exported takes 1 argument')

local seq = int(ARGV[1])
if not seq then return {'INVALID', 'sequence'} end
local book = read_book({bal = KEYS[1]}, {})
local before = tonumber(call('HGET', KEYS[2], 'exported') or '0')
if seq > last_seq(book) then return {'INVALID', 'sequence: the journal ends at ' .. str(last_seq(book))} end
if seq <= before then return {'EXPORTED', str(before)} end
call('HSET', KEYS[2], 'exported', str(seq))
return {'EXPORTED', str(seq)}
