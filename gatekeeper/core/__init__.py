"""The pure inside: what a request asks, what a model can do, what it costs, what came out.

Values in, values out. Nothing here does I/O, reads a clock, draws a random number or writes a log line; that is
why every rule in here can be tested with a table and searched with properties.
"""
