"""What a request has of a habit: only what is certain, within its time, and nothing remembered of a prompt."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from gatekeeper.catalog import Catalog
from gatekeeper.core.request import GenerationRequest
from gatekeeper.core.spec import Offer
from gatekeeper.dialects.fields import digest_of
from gatekeeper.ledger.teamrecord import Project
from gatekeeper.proxy import remembering
from gatekeeper.proxy.admission import Admission, admit_call
from gatekeeper.proxy.gate import Call
from gatekeeper.proxy.habits import habit_of
from gatekeeper.proxy.once import RETRY_COUNT, UNNAMED, Once
from gatekeeper.proxy.remembering import NONE, REPEATED_WITHIN_S, RETRY_WITHIN_S, TOGETHER_S, Habit, Habits
from tests.factories import a_capability, a_model, a_video_capability
from tests.proxy.conftest import MakeCall

SELLER: Any = SimpleNamespace(name="acme", offers_of="acme", models=(), default_model=None)
CATALOG = Catalog.of(
    [
        a_model(a_capability(), id="painter", offers=(Offer("acme", "painter"),)),
        a_model(a_video_capability(audio_default=True), id="mover", offers=(Offer("acme", "mover"),)),
        a_model(a_video_capability(), id="unsure", offers=(Offer("acme", "unsure"),)),
    ],
    "made up",
)


class World:
    """As much of a gateway as knows habits, at a time that a test sets."""

    def __init__(self, make_call: MakeCall) -> None:
        self._make_call = make_call
        self.now_s = 0.0
        self.habits = Habits()
        self.gate: Any = SimpleNamespace(habits=self.habits, clock=SimpleNamespace(monotonic_s=lambda: self.now_s))

    def ask(self, prompt: str = "a cat", once: Once = UNNAMED, tries: str = "", **changes: Any) -> Habit:
        """A 1K picture, or what the changes make of it, from its look to its being on its way."""
        boring = GenerationRequest(model="painter", prompt_length=5, prompt_digest=digest_of(prompt), resolution="1K")
        call = self.call(tries, **{name: changes.pop(name) for name in ("projects",) if name in changes})
        habit = habit_of(self.gate, call, self.admitted(call, replace(boring, **changes)), once)
        self.habits.begun(habit, self.now_s)
        return habit

    def call(self, tries: str, **team: Any) -> Call:
        headers = ((RETRY_COUNT, tries),) if tries else ()
        call = self._make_call(*headers, **team)
        call.trace.learn(project="spring")
        return replace(call, catalog=CATALOG, candidates=(SELLER,))

    def admitted(self, call: Call, asked: GenerationRequest) -> Admission:
        return admit_call(call, asked)


@pytest.fixture
def world(make_call: MakeCall) -> World:
    return World(make_call)


def test_what_is_new_has_no_habit(world: World) -> None:
    """Another prompt, another size: another request."""
    found = [world.ask(), world.ask("a dog"), world.ask(aspect_ratio="16:9")]

    assert [(), (), ()] == [each.traits for each in found]


def test_the_same_again_without_an_answer_is_a_retry(world: World) -> None:
    """From some seconds on, for ten minutes; before that it is a batch."""
    world.ask()

    def again(at_s: float) -> tuple[str, ...]:
        world.now_s = at_s
        call = world.call("")
        asked = GenerationRequest(model="painter", prompt_length=5, prompt_digest=digest_of("a cat"), resolution="1K")
        return habit_of(world.gate, call, world.admitted(call, asked), UNNAMED).traits

    late_s = TOGETHER_S + RETRY_WITHIN_S
    assert [(), ("retry",), ("retry",), ()] == [again(at) for at in (1, TOGETHER_S, late_s - 1, late_s)]


def test_the_same_again_after_a_failure_is_a_retry_at_once(world: World) -> None:
    """There is no batch to be mistaken for."""
    world.habits.ended(world.ask(), 0.5, answered=False)
    world.now_s = 0.6

    assert ("retry",) == world.ask().traits


def test_the_same_again_after_an_answer_is_another_picture(world: World) -> None:
    """People ask for variants; that is no storm."""
    world.habits.ended(world.ask(), 1, answered=True)
    world.now_s = 60

    assert () == world.ask().traits


@pytest.mark.parametrize(("tries", "traits"), [("1", ("retry",)), ("0", ()), ("x", ()), ("99999", ())])
def test_an_sdk_says_so_itself(world: World, tries: str, traits: tuple[str, ...]) -> None:
    """Whatever is remembered; what is no count says nothing."""
    assert traits == world.ask(tries=tries).traits


def test_a_fingerprint_counts_more_than_settings(world: World) -> None:
    """It knows seeds, which nobody else reads."""
    for number, expected in ((1, ()), (2, ()), (1, ("retry",))):
        assert expected == world.ask(once=Once(fingerprint=f"print-{number}")).traits
        world.now_s += 10


def test_a_prompt_again_at_a_high_resolution(world: World) -> None:
    """Whatever tier it is, within a day; at 1K prompts are meant to be tried."""
    traits = []
    for at_s, resolution in ((0, "2K"), (100, "4K"), (200, "1K"), (100 + REPEATED_WITHIN_S, "4K")):
        world.now_s = at_s
        habit = world.ask(resolution=resolution)
        world.habits.ended(habit, at_s, answered=True)
        traits.append(habit.traits)

    assert [(), ("repeated_prompt",), (), ()] == traits


def test_the_project_says_what_is_high(world: World) -> None:
    """Where 2K is not, its prompts are not remembered."""
    projects = (Project("spring", 1, high_resolutions=("4K",)),)

    assert [0, True] == [
        world.ask(resolution="2K", projects=projects).prompt,
        world.ask(resolution="4K", projects=projects).prompt != 0,
    ]


@pytest.mark.parametrize(("audio", "traits"), [(None, ("audio_default",)), (True, ()), (False, ())])
def test_sound_that_nobody_asked_for(world: World, audio: bool | None, traits: tuple[str, ...]) -> None:
    """What was said, either way, is no habit."""
    assert traits == world.ask(model="mover", resolution="720P", audio=audio).traits


def test_sound_that_is_left_open(world: World) -> None:
    """Nobody knows the default, and the dearer is held."""
    assert ("audio_default",) == world.ask(model="unsure", resolution="720P").traits


def test_a_formats_own_default_is_not_the_callers_word(world: World) -> None:
    """Ark and BFL make sound unless it is refused, and their dialects say so."""
    habit = world.ask(model="mover", resolution="720P", audio=True, audio_unsaid=True)

    assert ("audio_default",) == habit.traits


def test_what_has_no_digest_is_not_remembered(world: World) -> None:
    """Nothing is made up about it."""
    habit = world.ask(prompt_digest=None, resolution="4K")

    assert NONE == habit


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest goes first."""
    monkeypatch.setattr(remembering, "REMEMBERED_MAX", 3)
    habits = Habits()

    for number in range(1, 6):
        habits.begun(Habit(request=number), 0)

    assert [False, False, True, True, True] == [habits.is_retry(number, TOGETHER_S) for number in range(1, 6)]
