"""The chosen generation as a request that somebody can send: as curl, and with the provider's own SDK.

Each dialect has a writer of its own, which knows how the provider spells a setting. None of them is believed: what was
written is read again by the dialect and priced again, and only what comes to the same is shown.
"""
