"""What a key may be used for: `generate` spends, `quote` asks for prices and models, `read` looks at the team's books.

A key without scopes may do all of it. A route that is not named here needs `generate`: what is new is closed first.
"""

from gatekeeper.core.rejection import Code, refuse
from gatekeeper.ledger.teamrecord import KeyRecord, KeyScope

Scopes = tuple[KeyScope, ...]
"""Any one of these will do."""

TO_GENERATE: Scopes = (KeyScope.GENERATE,)
TO_PRICE: Scopes = (KeyScope.QUOTE,)
TO_CHOOSE: Scopes = (KeyScope.QUOTE, KeyScope.READ)
TO_READ: Scopes = (KeyScope.READ,)
TO_PASS: Scopes = (KeyScope.GENERATE, KeyScope.READ)
"""A provider's route that costs nothing."""


def check_scope(key: KeyRecord, wanted: Scopes) -> None:
    """Raises `Rejected` (scope_missing) if the key has none of them."""
    if key.scopes and not set(key.scopes) & set(wanted):
        names = " or ".join(wanted)
        raise refuse(
            Code.SCOPE_MISSING,
            f"The key {key.key_id} is for {', '.join(key.scopes)} only; this needs the scope {names}. "
            "Ask your team's lead for another key.",
        )
