"""Measurements of the gateway's parts. Not shipped, not run by the tests."""
