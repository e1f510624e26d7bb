"""One gateway in several processes: workers serve the data plane on one port, and one process leads them.

`lead.serve` is how a gateway is run, in however many processes. With one there is nothing of this package in it. With
more, `lead` keeps the store, the admin plane and all that is done once, and `crew` the workers; each of these is
`worker`.
"""
