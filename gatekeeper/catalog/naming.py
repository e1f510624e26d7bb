"""Names that somebody may have meant by one that is none: the most alike, one for each model.

Comparing two names letter by letter takes its time, so of many only those are compared that share the most groups of
three letters with what was written. It takes a moment with ten thousand models as with thirty.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

SUGGESTIONS_MAX: Final = 3
"""As many as fit into a sentence."""

LIKENESS_MIN: Final = 0.6
"""Of the letters in order: one slip in a short name still passes, another word does not."""

NAME_LENGTH_MAX: Final = 80
"""A longer name is no typing error, and comparing it would take its time."""

COMPARED_MAX: Final = 250
"""So many names are compared, some milliseconds' worth: all those of a catalog of a hundred models."""

LOOKED_UP_MAX: Final = 10_000
"""So many entries of the groups are counted, the rarest groups first: about a millisecond."""

_GROUP: Final = 3


class ModelNames:
    """Names with the models that they stand for."""

    __slots__ = ("_groups", "_known", "_model_ids", "_ordered")

    def __init__(self, model_ids: Mapping[str, str]) -> None:
        self._model_ids = model_ids
        self._known = {each.lower(): each for each in model_ids}
        self._ordered = tuple(self._known)
        groups = defaultdict[str, list[int]](list)
        if len(self._ordered) > COMPARED_MAX:
            for at, name in enumerate(self._ordered):
                for group in _groups_of(name):
                    groups[group].append(at)
        self._groups = dict(groups)

    def nearest(self, name: str) -> tuple[str, ...]:
        """Those most like this one, nearest first, one for each model."""
        wanted = name.lower()
        if not wanted or len(wanted) > NAME_LENGTH_MAX:
            return ()
        compared = self._to_compare(wanted)
        close = get_close_matches(wanted, compared, n=max(len(compared), 1), cutoff=LIKENESS_MIN)
        of_models: dict[str, str] = {}
        for each in (*close, *(each for each in compared if wanted in each)):
            of_models.setdefault(self._model_ids[self._known[each]], self._known[each])
        return tuple(of_models.values())[:SUGGESTIONS_MAX]

    def _to_compare(self, wanted: str) -> tuple[str, ...]:
        """All, or of too many those that have the most in common with it, in their order."""
        if len(self._ordered) <= COMPARED_MAX:
            return self._ordered
        shared = Counter(self._sharing(wanted))
        best = sorted(at for at, _ in shared.most_common(COMPARED_MAX))
        return tuple(self._ordered[at] for at in best)

    def _sharing(self, wanted: str) -> Iterator[int]:
        """The place of every name once for each group that it shares."""
        places = sorted((self._groups.get(group, []) for group in _groups_of(wanted)), key=len)
        left = LOOKED_UP_MAX
        for each in places:
            if len(each) > left:
                return
            left -= len(each)
            yield from each


def _groups_of(name: str) -> set[str]:
    """Every three letters that stand together, the name's first and last ones also with its edge."""
    edged = f" {name} "
    return {edged[at : at + _GROUP] for at in range(len(edged) - _GROUP + 1)}
