-- snapshot.lua: read everything of a team that the journal must confirm, at one instant. Writes nothing.
--
-- KEYS (7, one hash tag)
--   1 bal HASH   2 open HASH   3 due ZSET   4 grants HASH   5 base HASH   6 refunds HASH   7 transfers HASH
-- ARGV (0)
-- Reply
--   {bal, open, grants: field, value, ... each; due: member, score, ...; base, refunds, transfers: field, value, ... each}
-- Example
--   EVALSHA <sha> 7 gk:{a}:bal gk:{a}:open gk:{a}:due gk:{a}:grants gk:{a}:base gk:{a}:refunds gk:{a}:transfers
--   -> {{'figures', '2:...', 'team', '[0,49000000,...]'}, {'019aab...', 'H...'}, {'opening', '490000000'}, {'019aab...', '1763800000000'}, {}, {}, {}}

assert(#KEYS == 7, 'snapshot takes 7 keys')
assert(#ARGV == 0, 'snapshot takes no arguments')

return {
  call('HGETALL', KEYS[1]),
  call('HGETALL', KEYS[2]),
  call('HGETALL', KEYS[4]),
  call('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES'),
  call('HGETALL', KEYS[5]),
  call('HGETALL', KEYS[6]),
  call('HGETALL', KEYS[7]),
}
