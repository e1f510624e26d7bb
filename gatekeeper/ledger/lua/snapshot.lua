-- snapshot.lua: read everything of a team that the journal must confirm, at one instant. Writes nothing.
--
-- KEYS (7 or more, one hash tag)
--   1 bal HASH   2 open HASH   3 due ZSET   4 grants HASH   5 base HASH   6 refunds HASH   7 transfers HASH
--   8.. usage HASH of each month that is asked for
-- ARGV (0)
-- Reply
--   {bal, open, grants: field, value, ... each; due: member, score, ...; base, refunds, transfers, usage of each month:
--   field, value, ... each}
-- Example
--   EVALSHA <sha> 8 gk:{a}:bal gk:{a}:open gk:{a}:due gk:{a}:grants gk:{a}:base gk:{a}:refunds gk:{a}:transfers
--     gk:{a}:usage:2025-11
--   -> {{'figures', '2:...', 'team', '[0,49000000,...]'}, {'019aab...', 'H...'}, {'opening', '490000000'}, {'019aab...', '1763800000000'}, {}, {}, {}, {}}

assert(#KEYS >= 7, 'snapshot takes 7 keys and the usage buckets')
assert(#ARGV == 0, 'snapshot takes no arguments')

local out = {
  call('HGETALL', KEYS[1]),
  call('HGETALL', KEYS[2]),
  call('HGETALL', KEYS[4]),
  call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES'),
  call('HGETALL', KEYS[5]),
  call('HGETALL', KEYS[6]),
  call('HGETALL', KEYS[7]),
}
for i = 8, #KEYS do out[i] = call('HGETALL', KEYS[i]) end
return out
