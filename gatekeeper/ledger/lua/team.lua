-- team.lua: store a team's record; a record that says the same again changes nothing.
--
-- KEYS (3, one hash tag)
--   1 team HASH   2 bal HASH   3 journal STREAM
-- ARGV (13)
--   1 expected revision, '' = any   2 timezone   3 frozen 0|1
--   4 limits: lines of 'scope<tab>per<tab>micro-credits<newline>', of a raised one 'scope<tab>per<tab>micro-credits<tab>
--     raised to<tab>until (ms)<newline>'
--   5 cap per request   6 cap on open holds   7 cap on held credits (micro-credits or count; '' = none)
--   8 cap on holds admitted in a minute ('' = none)
--   9 models: JSON text {"allow": [...], "deny": [...]}   10 retry guard 0|1   11 plan: JSON text of what no script reads
--   12 actor   13 why: reason for the journal
-- Reply, one of
--   {'STORED', revision}   {'UNCHANGED', revision}   {'CONFLICT', revision}   {'INVALID', what}
-- Example
--   EVALSHA <sha> 3 gk:{a}:team gk:{a}:bal gk:{a}:j '' Europe/Berlin 0 'member<tab>day<tab>200000000<newline>' '' 50 '' '' '{..}' 1 '{..}' apply ''
--   -> {'STORED', '1'}

assert(#KEYS == 3, 'team takes 3 keys')
assert(#ARGV == 13, 'team takes 13 arguments')

local NAMES = {
  'timezone', 'frozen', 'limits', 'cap_per_request', 'cap_open_holds', 'cap_held_credits', 'cap_requests_per_minute',
  'models', 'retry_guard', 'plan',
}

if ARGV[2] == '' then return {'INVALID', 'timezone'} end
if not match(ARGV[3], '^[01]$') then return {'INVALID', 'frozen'} end
if not match(ARGV[10], '^[01]$') then return {'INVALID', 'retry guard'} end
for line in string.gmatch(ARGV[4], '([^\n]*)\n') do
  local credits, raised = match(line, '^[^\t]+\t%l+\t(%d+)(.*)$')
  local raised_to, raised_until = match(raised or '', '^\t(%d+)\t(%d+)$')
  local is_right = int(credits) and (raised == '' or int(raised_to) and int(raised_until))
  if not is_right then return {'INVALID', 'limits'} end
end
for i = 5, 8 do
  if ARGV[i] ~= '' and not int(ARGV[i]) then return {'INVALID', 'caps'} end
end

local old = call('HMGET', KEYS[1], 'revision', unpack(NAMES))
local revision = tonumber(old[1] or '0')
if ARGV[1] ~= '' and ARGV[1] ~= str(revision) then return {'CONFLICT', str(revision)} end
local same = revision > 0
local fields = {'revision', str(revision + 1)}
for i, name in ipairs(NAMES) do
  same = same and old[i + 1] == ARGV[i + 1]
  fields[#fields + 1] = name
  fields[#fields + 1] = ARGV[i + 1]
end
if same then return {'UNCHANGED', str(revision)} end

local book = read_book({bal = KEYS[2], journal = KEYS[3]}, {})
local change = cjson.encode({
  timezone = ARGV[2], limits = ARGV[4], caps = table.concat({ARGV[5], ARGV[6], ARGV[7], ARGV[8]}, ':'),
  retry_guard = ARGV[10], plan = ARGV[11], frozen = ARGV[3],
})
append(book, 'team', str(revision + 1), '0', '0', '', '', '', '', '', '', ARGV[13], ARGV[12], '', change)
flush(book)
call('HSET', KEYS[1], unpack(fields))
-- What hold.lua needs of it once more as one value, where it finds it together with the figures.
local rules = {ARGV[2], ARGV[3], ARGV[5], ARGV[6], ARGV[7], ARGV[8] .. '\n' .. ARGV[4]}
call('HSET', KEYS[2], 'rules', table.concat(rules, '\t'))
return {'STORED', str(revision + 1)}
