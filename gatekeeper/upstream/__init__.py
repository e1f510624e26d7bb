"""The way out: one HTTP client for every provider.

`client` sends, `messages` is what goes in and comes out, `failure` is what can go wrong. `target` makes the head of a
request, `dialing` makes connections, `pool` keeps them, `connection` speaks HTTP/1.1 on one, `answer` is what has
arrived, `limits` keeps the time. `headers` and `credential` are pure and decide what may be forwarded.

It does not know dialects, credits or teams, and it never tries a second time what may cost credits: it says what
happened, and whoever holds the credits decides.

Invariant: no type or exception of the parser or the event loop leaves this package, so that another client can take
its place.
"""
