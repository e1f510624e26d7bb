"""The way out: one HTTP client for every provider.

`client` sends, `messages` is what goes in and comes out, `failure` is what can go wrong, `connection` is the part
that knows when a byte may have left. `headers` and `credential` are pure and decide what may be forwarded.

It does not know dialects, credits or teams, and it never tries a second time what may cost credits: it says what
happened, and whoever holds the credits decides.

Invariant: no aiohttp type or exception leaves this package, so that another client can take its place.
"""
