-- key.lua: store or remove an API key's record, with its journal entry; the same again changes nothing.
--
-- KEYS (4, one hash tag)
--   1 team HASH   2 keys HASH (key id -> record)   3 bal HASH   4 journal STREAM
-- ARGV (6)
--   1 key id   2 the record that is replaced ('' = none)   3 the new one ('' = none: the key goes)
--   4 what changed: JSON text for the journal, without any secret or hash   5 actor   6 why
-- Reply, one of
--   {'STORED', seq}   {'UNCHANGED'}   {'CONFLICT'} (the record is another one by now)
--   {'NO_TEAM'}   {'INVALID', what}
-- Example
--   EVALSHA <sha> 4 gk:{a}:team gk:{a}:keys gk:{a}:bal gk:{a}:j ci '' '{..}' '{"new":true}' admin ''
--   -> {'STORED', '7'}

assert(#KEYS == 4, 'key takes 4 keys')
assert(#ARGV == 6, 'key takes 6 arguments')

local KEYS_MAX = 1000 -- of one team: they are read together

local id, before, after = ARGV[1], ARGV[2], ARGV[3]
if id == '' or match(id, '%c') then return {'INVALID', 'key id'} end
if call('HEXISTS', KEYS[1], 'timezone') == 0 then return {'NO_TEAM'} end
local current = call('HGET', KEYS[2], id) or ''
if current == after then return {'UNCHANGED'} end
if current ~= before then return {'CONFLICT'} end
if current == '' and call('HLEN', KEYS[2]) >= KEYS_MAX then
  return {'INVALID', 'key id: the team has ' .. KEYS_MAX .. ' keys, and no more are kept'}
end

local book = read_book({bal = KEYS[3], journal = KEYS[4]}, {})
local seq = append(book, 'key', id, '0', '0', '', '', '', id, '', '', ARGV[6], ARGV[5], '', ARGV[4])
flush(book)
if after == '' then
  call('HDEL', KEYS[2], id)
else
  call('HSET', KEYS[2], id, after)
end
return {'STORED', seq}
