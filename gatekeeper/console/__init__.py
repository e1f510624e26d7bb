"""The console: pages on the admin port, for people. It does nothing of its own: it asks the admin operations."""
