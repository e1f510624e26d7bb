"""Yesterday's log lines against other prices and limits: who would be refused, and what it would have come to.

Reads log files and nothing else: no store is asked, nothing is forwarded, nothing is written. Requests are judged by
the same functions as in the gateway; only the ledger, which is scripts in a store, has a stand-in here (`bank.py`).
"""
