"""Generations that end minutes after their request: what is known of them, who asks how they ended, how that is booked.

A job lives with its hold. Whoever learns its end first books it, once: the caller's own poll, the provider's webhook,
or the reconciler, which asks when nobody else does.
"""
