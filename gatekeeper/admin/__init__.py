"""The admin plane: an ordinary web application on a port of its own, for those who run the gateway.

Health, metrics and the catalog's reload; teams come from a file (`teams_file`). It never sees a generation.
"""
