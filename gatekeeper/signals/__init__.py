"""How a project's credits are spent against how they were meant to be: shapes of budgets, thresholds, diagnoses.

It signals; what refuses a request is elsewhere.
"""
