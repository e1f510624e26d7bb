"""The HTTP edge that both planes share: who calls, under which request id, and how an answer of our own is written.

No route, no pipeline and no pricing lives here.
"""
