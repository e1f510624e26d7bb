"""How the gateway itself asks about a job that nobody polls: at the address where its caller would."""

import pytest

from gatekeeper.dialects.base import JobLink, RouteKind
from gatekeeper.dialects.registry import DIALECTS
from tests.cases import each_case


@each_case(
    ("dialect", "submitted_at", "asked_at"),
    [
        ("freepik", "/v1/ai/image-upscaler-precision-v2", "/v1/ai/image-upscaler-precision-v2/job-1"),
        ("freepik", "/v1/ai/image-upscaler", "/v1/ai/image-upscaler/job-1"),
        ("luma", "/generations/image", "/generations/job-1"),
        ("runway", "/v1/text_to_video", "/v1/tasks/job-1"),
        ("topaz", "/enhance-gen/async", "/status/job-1"),
    ],
)
def test_a_job_is_asked_for_where_its_caller_would(dialect: str, submitted_at: str, asked_at: str) -> None:
    """A GET of the poll's own route, whose name the job has."""
    asked = DIALECTS[dialect].ask(JobLink("job-1", submitted_at))

    assert asked is not None
    assert ("GET", RouteKind.POLL, asked_at) == (asked.method, asked.route.kind, asked.route.upstream_path)
    assert "job-1" == DIALECTS[dialect].job_named(asked.route, {}, [])


@each_case("dialect", ["freepik", "luma", "runway", "topaz"])
def test_a_name_that_is_no_segment_is_not_asked_for(dialect: str) -> None:
    """It could lead elsewhere."""
    assert DIALECTS[dialect].ask(JobLink("../x", "/v1/text_to_video")) is None


@pytest.mark.parametrize("name", ["models/veo/operations/o1", "publishers/google/models/veo/operations/o1"])
def test_an_operation_of_the_express_mode_is_asked_for_where_it_was_submitted(name: str) -> None:
    """However short its name is."""
    asked = DIALECTS["gemini"].ask(JobLink(name, "/v1beta1/publishers/google/models/veo:predictLongRunning"))

    assert asked is not None
    assert "/v1beta1/publishers/google/models/veo:fetchPredictOperation" == asked.route.upstream_path


def test_an_operation_with_a_short_name_can_be_polled_as_the_sdk_does() -> None:
    """In Vertex AI's modes it puts the name without the operation before the verb."""
    route = DIALECTS["gemini"].find_route("POST", "/v1beta1/models/veo:fetchPredictOperation")

    assert route is not None
    assert RouteKind.POLL is route.kind
