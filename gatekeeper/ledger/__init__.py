"""The credit ledger on Redis or Valkey: teams, keys, grants, holds, and the journal that proves them.

Read `ledger.py` for what it promises, `records.py` for what goes in and out, `keys.py` for what is stored,
and `lua/*.lua` for what happens in one atomic step. Only this package (and the composition root) knows Redis.
"""
