-- balance.lua: read a team's figures and the counters of some scopes at one instant. Writes nothing; what has lapsed
-- by now is counted as expired, though no entry says so yet.
--
-- KEYS (2, one hash tag)
--   1 team HASH   2 bal HASH
-- ARGV (1 or more)
--   the scopes to read: 'team', 'project:x', 'member:y', 'key:z'
-- Reply, one of
--   {now, seq, granted, charged, expired, held, open, timezone, limits, counters of each scope or '', ...}
--   {'NO_TEAM'}
-- Example
--   EVALSHA <sha> 2 gk:{a}:team gk:{a}:bal team
--   -> {'1763800000000', '2', '490000000', '0', '0', '49000000', '1', 'UTC', '', '[0,49000000,...]']

assert(#KEYS == 2, 'balance takes 2 keys')
assert(#ARGV >= 1, 'balance takes at least one scope')

local team = call('HMGET', KEYS[1], 'timezone', 'limits')
if not team[1] then return {'NO_TEAM'} end
local book = read_book({bal = KEYS[2]}, {})
local out = {
  str(book.now), str(last_seq(book)), str(book.granted), str(book.charged), str(book.expired), str(book.held),
  str(book.open), team[1], team[2] or '',
}
for _, counters in ipairs(call('HMGET', KEYS[2], unpack(ARGV))) do out[#out + 1] = counters or '' end
return out
