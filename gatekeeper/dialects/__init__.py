"""Wire formats: how each provider spells a request, an outcome, a refusal.

Sans-IO: a dialect is a module of pure functions that the `Dialect` protocol describes, listed by hand in `registry`.
No dialect knows another; what two of them need lives beside `base`. None translates: the bytes that came are the
bytes that go upstream, reading is all that happens to them.
"""
