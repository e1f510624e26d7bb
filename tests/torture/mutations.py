"""Every guard of the scripts, by hand: what it says, what is left if somebody takes it out, and which probe notices.

`text` is a piece of the file as it stands, so that a guard that changes has to be changed here; it occurs once. What
these guards protect is said by the probes. A guard that is new needs its line: `test_every_guard_is_in_the_list`.
"""

from tests.torture.bench import Mutation as M

PRELUDE = (
    M("a number is digits", "prelude", "match(text, '^%d+$') and tonumber(text)", "tonumber(text)", "odd_settle_amounts"),
    M("a number is at most 9e15", "prelude", "value <= CREDITS_MAX and value", "value", "odd_hold_amounts"),
    M("the clock stands still", "prelude", "if last > now and last - now", "if false and last - now", "a_clock_that_steps_back"),
    M("the clock is believed", "prelude", "last - now <= CLOCK_STEP_MAX_MS", "true", "a_clock_that_steps_back"),
    M("a hold remembers its windows", "prelude", "if scope[11] == starts then", "if true then", "old_windows_are_left_alone"),
    M("only the window that is the same", "prelude", "if current[p] == mine[p] then", "if true then", "old_windows_are_left_alone"),
    M("nothing happened, nothing is written", "prelude", "if #entries == 0 then return end", "", "a_refusal_writes_nothing"),
    M("a dense journal", "prelude", "entries[#entries + 1] = seq .. '-0'", "entries[#entries + 1] = '*'", "journal_is_dense"),
    M("unused scopes are not written", "prelude", "if scope[11] ~= '0:0:0:0' then", "if true then", "a_refusal_that_reaps"),
    M("what ended is open no longer", "prelude", "call('HDEL', keys.open, ended[i])", "", "resolved_is_remembered"),
    M("what ended is due no longer", "prelude", "call('ZREM', keys.due, ended[i])", "", "resolved_is_remembered"),
    M("what ended is remembered", "prelude", "call('HSET', ended[i + 1], ended[i], ended[i + 2])", "", "settle_again"),
    M("and not for ever", "prelude", "call('PEXPIRE', ended[i + 1], RETENTION_MS)", "", "resolved_is_remembered"),
    M("a grace is waited for", "prelude", "if r.grace > 0 then", "if false then", "time_and_its_policies"),
    M("unknown is marked once", "prelude", "if r.state == 'H' then\n    turn_unknown", "if true then\n    turn_unknown", "marked_then_due"),
    M("release by policy", "prelude", "if r.policy == 'r' then", "if true then", "time_and_its_policies"),
    M("charge by policy", "prelude", "elseif r.policy == 'c' then", "elseif false then", "time_and_its_policies"),
    M("a late result has its hold", "prelude", "(state == 'X' or state == 'C') and", "false and", "late_once"),
    M("a kept hold is not due", "prelude", "later(book, 'ZREM', book.keys.due, id)", "", "time_and_its_policies"),
)  # fmt: skip

HOLD = (
    M("hold: id", "hold", "if not match(id, '^%x+$') or #id ~= 32 then", "if false then", "odd_hold_arguments"),
    M("hold: amount", "hold", "if not amount then", "if false then", "odd_hold_amounts"),
    M("hold: ttl and grace", "hold", "if not ttl or not grace then", "if false then", "odd_hold_arguments"),
    M("hold: policy", "hold", "if policy ~= 'r' and", "if false and", "odd_hold_arguments"),
    M("hold: windows", "hold", "if not from then", "if false then", "odd_hold_arguments"),
    M("hold: day", "hold", "if tonumber(ARGV[14]) ~= day then", "if false then", "odd_hold_arguments"),
    M("hold: team", "hold", "if not book.rules then", "if false then", "no_team"),
    M("open: seen", "hold", "if raw_open then", "if false then", "same_hold_again"),
    M("open: fingerprint", "hold", "if r.fingerprint ~= fingerprint then", "if false then", "other_body_of_an_open_hold"),
    M("open: state", "hold", "if r.state == 'H' then", "if true then", "hold_again_when_unknown"),
    M("done: seen", "hold", "if raw_done then", "if false then", "hold_again_when_done"),
    M("done: fingerprint", "hold", "if d.fingerprint ~= fingerprint", "if false", "other_body_of_a_done_hold"),
    M("old id", "hold", "now - id_ms > ID_AGE_MAX_MS or", "", "old_and_future_ids"),
    M("future id", "hold", "or id_ms - now > DAY_MS", "", "old_and_future_ids"),
    M("time zone", "hold", "if timezone ~= ARGV[12] then", "if false then", "windows_of_another_zone"),
    M("windows hold now", "hold", "if now < from + 0 or now >= to + 0 then", "if false then", "windows_that_are_over"),
    M("nor do the next", "hold", "if now < first[p] + 0 or now >= last[p] + 0 then", "if false then", "windows_that_are_over"),
    M("the next window", "hold", "if now >= last[p] + 0 then first", "if false then first", "the_next_window"),
    M("windows never move back", "hold", "if newest[p] + 0 > mine[p] + 0 and", "if false and", "windows_never_move_back"),
    M("but not from the future", "hold", "and newest[p] + 0 <= now then", "then", "a_start_in_the_future_is_not_believed"),
    M("reaping is bounded", "hold", "local REAP_MAX = '8'", "local REAP_MAX = '99'", "reaping_is_bounded"),
    M("reaping frees credits", "hold", "pass_deadline(book, due_id, r,", "assert(book, due_id, r,", "due_holds_free_credits"),
    M("reaping: declared days", "hold", "if r and (due_day == day or due_day == day - 1) then", "if r then", "reaping_of_older_days"),
    M("reaping: types first", "hold", "if due[1] then call('HLEN', KEYS[5]) end", "", "a_wrong_type_stops_a_hold_first"),
    M("frozen", "hold", "if frozen == '1' then", "if false then", "frozen"),
    M("cap per request", "hold", "if cap and amount > cap then", "if cap and amount > cap + 1 then", "caps"),
    M("cap on open holds", "hold", "if cap and book.open + 1 > cap then", "if cap and book.open > cap then", "caps"),
    M("cap on held credits", "hold", "if cap and held + amount > cap then", "if cap and held > cap then", "caps"),
    M("balance", "hold", "amount > free then", "amount > free + 1 then", "balance_is_exact"),
    M("balance: nothing costs nothing", "hold", "if amount > 0 and", "if", "free_of_charge_in_debt"),
    M("limits: used", "hold", "if used + scope_held + amount > limit then", "if scope_held + amount > limit then", "limits_count_used_and_held"),
    M("limits: held", "hold", "if used + scope_held + amount > limit then", "if used + amount > limit then", "limits_count_used_and_held"),
    M("limits: exact", "hold", "if used + scope_held + amount > limit then", "if used + scope_held + amount >= limit then", "limits_count_used_and_held"),
    M("limits: by name", "hold", "(name == field or not", "(true or not", "limits_by_name"),
    M("limits: for all", "hold", "mine[match(field, '^%l+')] = field", "", "limits_by_name"),
    M("limits: this window", "hold", "local current = split(scope[11])[p] == split(starts)[p]", "local current = true", "a_new_window_counts_from_zero"),
    M("refused is refused", "hold", "if #refusals > 0 then", "if false then", "balance_is_exact"),
    M("a new window", "hold", "if before[p] ~= mine[p] then", "if false then", "a_new_window_counts_from_zero"),
    M("an old window stays", "hold", "if before[p] ~= mine[p] then", "if true then", "a_new_window_counts_from_zero"),
    M("a hold has a deadline", "hold", "call('ZADD', KEYS[3], str(now + ttl), id)", "", "a_hold_has_a_deadline"),
)  # fmt: skip

END = (
    M("settle: amount", "settle", "if not amount then", "if false then", "odd_settle_amounts"),
    M("settle: no such hold", "settle", "if not record and not d then", "if false then", "settle_of_nothing"),
    M("settle: mismatch", "settle", "if not by_time and d.charged ~= amount then", "if false then", "settle_again"),
    M("settle: duplicate", "settle", "if not by_time or (", "if false or (", "settle_again"),
    M("settle: expired is released", "settle", "(d.state == 'X' and amount == 0)", "false", "release_after_expiry"),
    M("settle: late after time only", "settle", "local by_time, over = d.state == 'X' or d.state == 'C',", "local by_time, over = true,", "late_once"),
    M("settle: largest sum", "settle", "if book.charged + amount - before > CREDITS_MAX then", "if false then", "largest_sums"),
    M("late once", "settle", "remember(book, id, KEYS[4], 'L',", "assert(book, id, KEYS[4], 'L',", "late_once"),
    M("late: what was charged before", "settle", "book.charged = book.charged + amount - before", "book.charged = book.charged + amount", "late_refund"),
    M("late: scopes", "settle", "move_scopes(book, r.fields, r.starts, amount - before, 0)", "", "late_refund"),
    M("settle: types first", "settle", "call('ZSCORE', KEYS[3], id)", "", "a_wrong_type_stops_an_end_first"),
    M("unknown: resolved", "unknown", "if call('HEXISTS', KEYS[4], id) == 1 then", "if false then", "unknown_once"),
    M("unknown: no such hold", "unknown", "if not raw then", "if false then", "settle_of_nothing"),
    M("unknown: once", "unknown", "if r.state == 'U' then", "if false then", "unknown_once"),
    M("expire: declared keys", "expire", "if not index or index < 5 or index > #KEYS then", "if false then", "odd_key_index"),
    M("expire: due", "expire", "if r and score and tonumber(score) <= book.now then", "if r then", "not_due_is_not_expired"),
    M("expire: types first", "expire", "for i = 5, #KEYS do call('HLEN', KEYS[i]) end", "", "a_wrong_type_stops_an_end_first"),
)  # fmt: skip

TEAM = (
    M("grant: amount", "grant", "if not amount or amount == 0 then", "if false then", "grants"),
    M("grant: nothing is no grant", "grant", "or amount == 0 then", "then", "grants"),
    M("grant: team", "grant", "if call('HEXISTS', KEYS[1], 'timezone') == 0 then", "if false then", "no_team"),
    M("grant: once", "grant", "if before == str(amount) then", "if false then", "grants"),
    M("grant: mismatch", "grant", "if before then", "if false then", "grants"),
    M("grant: largest sum", "grant", "if book.granted + amount > CREDITS_MAX then", "if false then", "largest_sums"),
    M("team: time zone", "team", "if ARGV[2] == '' then", "if false then", "odd_team_arguments"),
    M("team: frozen", "team", "if not match(ARGV[3], '^[01]$') then", "if false then", "odd_team_arguments"),
    M("team: limits", "team", "if not int(match(line,", "if false and (match(line,", "odd_team_arguments"),
    M("team: caps", "team", "if ARGV[i] ~= '' and not int(ARGV[i]) then", "if false then", "odd_team_arguments"),
    M("team: revision", "team", "if ARGV[1] ~= '' and ARGV[1] ~= str(revision) then", "if false then", "team_revisions"),
    M("team: the same changes nothing", "team", "if same then", "if false then", "team_revisions"),
    M("balance: team", "balance", "if not team[1] then", "if false then", "no_team"),
)  # fmt: skip

SHAPES = tuple(
    M(f"{file}: {what}", file, f"assert({what}", f"assert(true or {what}", "shapes")
    for file, *guards in (
        ("balance", "#KEYS", "#ARGV"), ("expire", "#KEYS", "#ARGV"), ("grant", "#KEYS", "#ARGV"),
        ("hold", "#KEYS", "#ARGV"), ("settle", "#KEYS", "#ARGV"), ("snapshot", "#KEYS", "#ARGV"),
        ("team", "#KEYS", "#ARGV"), ("unknown", "#KEYS", "#ARGV"),
    )
    for what in guards
)  # fmt: skip
"""How a script is called: the number of its keys, the number of its arguments."""

MUTATIONS = (*PRELUDE, *HOLD, *END, *TEAM, *SHAPES)
