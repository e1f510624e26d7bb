"""For services that do the work themselves: a client for decisions, and middlewares that gate their endpoints.

Nothing of the gateway is imported here: it is reached over HTTP like from anywhere.
"""
