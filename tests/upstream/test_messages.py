"""Requests and errors as they show in a log."""

from gatekeeper.upstream.failure import NeverSent, OutcomeUnknown, Reason
from gatekeeper.upstream.messages import UpstreamRequest
from tests.cases import each_case


def test_request_repr_hides_content():
    """A request shows method, host and path; not its query, user, headers or body."""
    request = UpstreamRequest("POST", "https://u:pw@h.example/v1/x?key=s", (("Authorization", "s"),), (b"prompt",))

    assert "<UpstreamRequest POST https://h.example/v1/x>" == repr(request)


@each_case("reason", list(Reason))
def test_timed_out(reason):
    """Exactly the reasons that are named timeouts are ours."""
    assert reason.value.endswith("timeout") == NeverSent(reason).timed_out


def test_text():
    """An error reads as its reason and its detail."""
    assert ("refused: no one there", "cut") == (
        str(NeverSent(Reason.REFUSED, "no one there")),
        str(OutcomeUnknown(Reason.CUT)),
    )
