"""Every guard of the scripts, by hand: what it says, what is left if somebody takes it out, and which probe notices.

A line is: the guard's name, a piece of the file as it stands, what is put in its place, and the probe that must fail.
The piece occurs once in the file, so that a guard that changes has to be changed here; one that is new needs its line.
"""

from tests.torture.bench import Mutation

BY_FILE = {
    "prelude": (
        ("a number is digits", "match(text, '^%d+$') and tonumber(text)", "tonumber(text)", "odd_settle_amounts"),
        ("a number is at most 9e15", "value <= CREDITS_MAX and value", "value", "odd_hold_amounts"),
        ("the clock stands still", "if last > now and last - now",
         "if false and last - now", "a_clock_that_steps_back"),
        ("the clock is believed", "last - now <= CLOCK_STEP_MAX_MS", "true", "a_clock_that_steps_back"),
        ("a hold remembers its windows", "if scope[11] == starts then", "if true then", "old_windows_are_left_alone"),
        ("only the window that is the same", "if current[p] == mine[p] then",
         "if true then", "old_windows_are_left_alone"),
        ("nothing happened, nothing is written", "if #entries == 0 then return end", "", "a_refusal_writes_nothing"),
        ("a dense journal", "entries[#entries + 1] = seq .. '-0'", "entries[#entries + 1] = '*'", "journal_is_dense"),
        ("unused scopes are not written", "if scope[11] ~= '0:0:0:0' then", "if true then", "a_refusal_that_reaps"),
        ("what ended is open no longer", "call('HDEL', keys.open, ended[i])", "", "resolved_is_remembered"),
        ("what ended is due no longer", "call('ZREM', keys.due, ended[i])", "", "resolved_is_remembered"),
        ("what ended is remembered", "call('HSET', ended[i + 1], ended[i], ended[i + 2])", "", "settle_again"),
        ("and not for ever", "call('PEXPIRE', ended[i + 1], RETENTION_MS)", "", "resolved_is_remembered"),
        ("a grace is waited for", "if r.grace > 0 then", "if false then", "time_and_its_policies"),
        ("unknown is marked once", "if r.state == 'H' then\n    turn_unknown",
         "if true then\n    turn_unknown", "marked_then_due"),
        ("release by policy", "if r.policy == 'r' then", "if true then", "time_and_its_policies"),
        ("charge by policy", "elseif r.policy == 'c' then", "elseif false then", "time_and_its_policies"),
        ("a late result has its hold", "(state == 'X' or state == 'C') and", "false and", "late_once"),
        ("a kept hold is not due", "later(book, 'ZREM', book.keys.due, id)", "", "time_and_its_policies"),
    ),
    "hold": (
        ("id", "if not match(id, '^%x+$') or #id ~= 32 then", "if false then", "odd_hold_arguments"),
        ("amount", "if not amount then", "if false then", "odd_hold_amounts"),
        ("ttl and grace", "if not ttl or not grace then", "if false then", "odd_hold_arguments"),
        ("policy", "if policy ~= 'r' and", "if false and", "odd_hold_arguments"),
        ("windows", "if not from then", "if false then", "odd_hold_arguments"),
        ("day", "if tonumber(ARGV[14]) ~= day then", "if false then", "odd_hold_arguments"),
        ("team", "if not book.rules then", "if false then", "no_team"),
        ("open: seen", "if raw_open then", "if false then", "same_hold_again"),
        ("open: fingerprint", "if r.fingerprint ~= fingerprint then", "if false then", "other_body_of_an_open_hold"),
        ("open: state", "if r.state == 'H' then", "if true then", "hold_again_when_unknown"),
        ("done: seen", "if raw_done then", "if false then", "hold_again_when_done"),
        ("done: fingerprint", "if d.fingerprint ~= fingerprint", "if false", "other_body_of_a_done_hold"),
        ("old id", "now - id_ms > ID_AGE_MAX_MS or", "", "old_and_future_ids"),
        ("future id", "or id_ms - now > DAY_MS", "", "old_and_future_ids"),
        ("time zone", "if timezone ~= ARGV[12] then", "if false then", "windows_of_another_zone"),
        ("windows hold now", "if now < from + 0 or now >= to + 0 then", "if false then", "windows_that_are_over"),
        ("nor do the next", "if now < first[p] + 0 or now >= last[p] + 0 then",
         "if false then", "windows_that_are_over"),
        ("the next window", "if now >= last[p] + 0 then first", "if false then first", "the_next_window"),
        ("windows never move back", "if newest[p] + 0 > mine[p] + 0 and", "if false and", "windows_never_move_back"),
        ("but not from the future", "and newest[p] + 0 <= now then", "then", "a_start_in_the_future_is_not_believed"),
        ("reaping is bounded", "local REAP_MAX = '8'", "local REAP_MAX = '99'", "reaping_is_bounded"),
        ("reaping frees credits", "pass_deadline(book, due_id, r,",
         "assert(book, due_id, r,", "due_holds_free_credits"),
        ("reaping: declared days", "if r and (due_day == day or due_day == day - 1) then",
         "if r then", "reaping_of_older_days"),
        ("reaping: types first", "if due[1] then call('HLEN', KEYS[5]) end", "", "a_wrong_type_stops_a_hold_first"),
        ("frozen", "if frozen == '1' then", "if false then", "frozen"),
        ("cap per request", "if cap and amount > cap then", "if cap and amount > cap + 1 then", "caps"),
        ("cap on open holds", "if cap and book.open + 1 > cap then", "if cap and book.open > cap then", "caps"),
        ("cap on held credits", "if cap and held + amount > cap then", "if cap and held > cap then", "caps"),
        ("balance", "amount > free then", "amount > free + 1 then", "balance_is_exact"),
        ("balance: nothing costs nothing", "if amount > 0 and", "if", "free_of_charge_in_debt"),
        ("limits: used", "if used + scope_held + amount > limit then",
         "if scope_held + amount > limit then", "limits_count_used_and_held"),
        ("limits: held", "if used + scope_held + amount > limit then",
         "if used + amount > limit then", "limits_count_used_and_held"),
        ("limits: exact", "if used + scope_held + amount > limit then",
         "if used + scope_held + amount >= limit then", "limits_count_used_and_held"),
        ("limits: by name", "(name == field or not", "(true or not", "limits_by_name"),
        ("limits: for all", "mine[match(field, '^%l+')] = field", "", "limits_by_name"),
        ("limits: this window", "local current = split(scope[11])[p] == split(starts)[p]",
         "local current = true", "a_new_window_counts_from_zero"),
        ("refused is refused", "if #refusals > 0 then", "if false then", "balance_is_exact"),
        ("a new window", "if before[p] ~= mine[p] then", "if false then", "a_new_window_counts_from_zero"),
        ("an old window stays", "if before[p] ~= mine[p] then", "if true then", "a_new_window_counts_from_zero"),
        ("a hold has a deadline", "call('ZADD', KEYS[3], str(now + ttl), id)", "", "a_hold_has_a_deadline"),
    ),
    "settle": (
        ("amount", "if not amount then", "if false then", "odd_settle_amounts"),
        ("no such hold", "if not record and not d then", "if false then", "settle_of_nothing"),
        ("mismatch", "if not by_time and d.charged ~= amount then", "if false then", "settle_again"),
        ("duplicate", "if not by_time or (", "if false or (", "settle_again"),
        ("expired is released", "(d.state == 'X' and amount == 0)", "false", "release_after_expiry"),
        ("late after time only", "local by_time, over = d.state == 'X' or d.state == 'C',",
         "local by_time, over = true,", "late_once"),
        ("largest sum", "if book.charged + book.held + amount - before > CREDITS_MAX then",
         "if false then", "largest_sums"),
        ("late once", "remember(book, id, KEYS[4], 'L',", "assert(book, id, KEYS[4], 'L',", "late_once"),
        ("late: what was charged before", "book.charged = book.charged + amount - before",
         "book.charged = book.charged + amount", "late_refund"),
        ("late: scopes", "move_scopes(book, r.fields, r.starts, amount - before, 0)", "", "late_refund"),
        ("types first", "call('ZSCORE', KEYS[3], id)", "", "a_wrong_type_stops_an_end_first"),
    ),
    "unknown": (
        ("resolved", "if call('HEXISTS', KEYS[4], id) == 1 then", "if false then", "unknown_once"),
        ("no such hold", "if not raw then", "if false then", "settle_of_nothing"),
        ("once", "if r.state == 'U' then", "if false then", "unknown_once"),
    ),
    "expire": (
        ("declared keys", "if not index or index < 5 or index > #KEYS then", "if false then", "odd_key_index"),
        ("due", "if r and score and tonumber(score) <= book.now then", "if r then", "not_due_is_not_expired"),
        ("types first", "for i = 5, #KEYS do call('HLEN', KEYS[i]) end", "", "a_wrong_type_stops_an_end_first"),
    ),
    "grant": (
        ("amount", "if not amount or amount == 0 then", "if false then", "grants"),
        ("nothing is no grant", "or amount == 0 then", "then", "grants"),
        ("team", "if call('HEXISTS', KEYS[1], 'timezone') == 0 then", "if false then", "no_team"),
        ("once", "if before == str(amount) then", "if false then", "grants"),
        ("mismatch", "if before then", "if false then", "grants"),
        ("largest sum", "if book.granted + amount > CREDITS_MAX then", "if false then", "largest_sums"),
    ),
    "team": (
        ("time zone", "if ARGV[2] == '' then", "if false then", "odd_team_arguments"),
        ("frozen", "if not match(ARGV[3], '^[01]$') then", "if false then", "odd_team_arguments"),
        ("limits", "if not int(match(line,", "if false and (match(line,", "odd_team_arguments"),
        ("caps", "if ARGV[i] ~= '' and not int(ARGV[i]) then", "if false then", "odd_team_arguments"),
        ("revision", "if ARGV[1] ~= '' and ARGV[1] ~= str(revision) then", "if false then", "team_revisions"),
        ("the same changes nothing", "if same then", "if false then", "team_revisions"),
    ),
    "exported": (
        ("sequence", "if not seq then", "if false then", "a_note_of_an_export"),
        ("what is there", "if seq > last_seq(book) then", "if false then", "a_note_of_an_export"),
        ("never back", "if seq <= before then", "if false then", "a_note_of_an_export"),
    ),
    "trim": (
        ("sequences", "if not before or not seq then", "if false then", "a_trim_goes_on_from_its_checkpoint"),
        ("state", "if ARGV[3] == '' then", "if false then", "a_trim_goes_on_from_its_checkpoint"),
        ("its checkpoint", "if current ~= before then", "if false then", "a_trim_goes_on_from_its_checkpoint"),
        ("forwards", "if seq <= before then", "if false then", "a_trim_goes_on_from_its_checkpoint"),
        ("exported", "if seq > exported then", "if false then", "a_trim_is_of_what_was_exported"),
        ("what is there", "if seq > last_seq(book) then", "if false then", "a_trim_is_of_what_was_exported"),
        ("types first", "call('XLEN', KEYS[3])", "", "a_trim_of_a_wrong_type"),
    ),
    "balance": (
        ("team", "if not team[1] then", "if false then", "no_team"),
    ),
}  # fmt: skip

SHAPES = tuple(
    Mutation(f"{file}: {what}", file, f"assert({what}", f"assert(true or {what}", "shapes")
    for file in ("balance", "expire", "exported", "grant", "hold", "settle", "snapshot", "team", "trim", "unknown")
    for what in ("#KEYS", "#ARGV")
)
"""How a script is called: the number of its keys, the number of its arguments."""

MUTATIONS = (
    *(
        Mutation(f"{file}: {name}", file, text, instead, probe)
        for file, guards in BY_FILE.items()
        for name, text, instead, probe in guards
    ),
    *SHAPES,
)
