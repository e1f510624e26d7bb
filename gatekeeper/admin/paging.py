"""How much of a list one answer has."""

PAGE_MAX = 1000
"""The most that one answer lists."""

PAGE = 100
"""What one answer lists unless asked otherwise."""
