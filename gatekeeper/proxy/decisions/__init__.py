"""The gate without the proxy: somebody else does the work, asks here first, and tells here how it ended.

The same admission, hold and booking as for what is forwarded; only that nothing is.
"""
