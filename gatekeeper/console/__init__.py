"""The console: pages on the admin port, for people. It does nothing of its own: it asks the admin operations.

`mounting` puts it in front of the admin plane. A page is a module of `pages` with a template of its name; what it shows
is computed by a pure function, so that it is tested without a browser.
"""
