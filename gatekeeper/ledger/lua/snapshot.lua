-- snapshot.lua: read everything of a team that the journal must confirm, at one instant. Writes nothing.
--
-- KEYS (5, one hash tag)
--   1 bal HASH   2 use HASH   3 open HASH   4 due ZSET   5 grants HASH
-- ARGV (0)
-- Reply
--   {bal, use, open, grants: field, value, ... each; due: member, score, ...}
-- Example
--   EVALSHA <sha> 5 gk:{a}:bal gk:{a}:use gk:{a}:open gk:{a}:due gk:{a}:grants
--   -> {{'seq', '2', ...}, {'team', '0:49000000|...'}, {'019aab...', 'H...'}, {'opening', '490000000'}, {'019aab...', '1763800000000'}}

assert(#KEYS == 5, 'snapshot takes 5 keys')
assert(#ARGV == 0, 'snapshot takes no arguments')

return {
  redis.call('HGETALL', KEYS[1]),
  redis.call('HGETALL', KEYS[2]),
  redis.call('HGETALL', KEYS[3]),
  redis.call('HGETALL', KEYS[5]),
  redis.call('ZRANGE', KEYS[4], 0, -1, 'WITHSCORES'),
}
