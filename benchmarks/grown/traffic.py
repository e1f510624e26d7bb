"""Requests of many: each with another key, or for another model, drawn evenly from all that are named."""

import random
from collections.abc import Sequence

from benchmarks.load import Make
from benchmarks.servers import KEY, MODEL
from benchmarks.traffic import Generations


def of_many(url: str, keys: Sequence[str] = (), models: Sequence[str] = (), seed: int = 1) -> Make:
    """A request for pictures with any of these keys, for any of these models; without any, as everywhere else."""
    make, lots = Generations(url, seed=seed).maker(), random.Random(seed)
    secret, model = KEY.encode(), MODEL.encode()
    some_keys, some_models = [key.encode() for key in keys], [name.encode() for name in models]
    if any(len(name) != len(model) for name in some_models):
        raise ValueError(f"a model's name has to be as long as {MODEL}: the length of the body is told before it")

    def made() -> bytes:
        request = make()
        if some_keys:
            request = request.replace(secret, lots.choice(some_keys), 1)
        if some_models:
            request = request.replace(model, lots.choice(some_models), 1)
        return request

    return made
