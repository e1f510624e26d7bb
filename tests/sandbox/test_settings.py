"""Settings out of range are refused before anything listens."""

import pytest

from gatekeeper.sandbox import SandboxSettings


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"latency_s": -1}, "latency_s is -1; it must be 0 to 600"),
        ({"latency_s": float("nan")}, "latency_s is nan; it must be 0 to 600"),
        ({"fail_rate": 1.5}, "fail_rate is 1.5; it must be 0 to 1"),
        ({"fail_rate": 0.6, "cut_rate": 0.6}, "fail_rate, empty_rate, cut_rate add up to more than 1"),
        ({"fail_status": 200}, "fail_status is 200; it must be 400 to 599"),
        ({"recent_requests": 0}, "recent_requests is 0; it must be 1 to 10000"),
        ({"files": 10**9}, "files is 1000000000; it must be 1 to 100000"),
        ({"cache_bytes": -1}, "cache_bytes is -1; it must be 0 or more"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_setting_out_of_range_names_its_range(setting: dict[str, float], message: str) -> None:
    """The error says which setting, its value and what is allowed."""
    with pytest.raises(ValueError, match=r"must be|more than") as caught:
        SandboxSettings(**setting)

    assert message == str(caught.value)


def test_defaults_are_valid() -> None:
    """Without settings nothing goes wrong and nothing waits."""
    settings = SandboxSettings()

    assert (0.0, 0.0, 0.0) == (settings.latency_s, settings.fail_rate, settings.cut_rate)
