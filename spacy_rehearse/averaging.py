"""Averaging: what is scored and saved is a mean of the weights on their way.

Thinc's moving average holds the last tenth of the updates. Where gold is scarce, what
they end with differs much from seed to seed, and a mean over more of the way is better
(docs/recipe.md): polynomial-decay averaging, update t counting in proportion to t
(Shamir and Zhang 2013, "Stochastic gradient descent for non-smooth optimization",
section 4).
"""

from contextlib import contextmanager
from typing import Any, Iterator, MutableMapping, Optional, Sequence

from thinc.api import Model

from .parameters import KeyT, parameters

AveragesT = MutableMapping[KeyT, Any]


def start_averages(models: Sequence[Model], averages: Optional[AveragesT]) -> None:
    """Let averaged parameters start at the weights.

    Thinc starts them at zero (Optimizer._step), and scores the first checkpoints with
    weights that are shrunk: as if the student had forgotten a fifth already.

    models (Sequence[Model]): The models that learn.
    averages (Optional[Dict[Tuple[int, str], Array]]): The optimizer's averages, changed
        in place. What is there already is left alone. None if it keeps none.
    """
    if averages is None:
        return
    for model in models:
        for parameter in parameters(model):
            averages.setdefault(parameter.key, parameter.weights.copy())


@contextmanager
def longer_averages(
    models: Sequence[Model], averages: Optional[AveragesT], n_updates: int
) -> Iterator[None]:
    """Average over all of the way what moves inside the block.

    models (Sequence[Model]): The models that an optimizer moves there.
    averages (Optional[Dict[Tuple[int, str], Array]]): The optimizer's averages. None to
        do nothing.
    n_updates (int): The number of this update, from 1 up. The start counts once, this
        one n_updates + 1 times.
    """
    before = {
        parameter.key: averages[parameter.key].copy()
        for model in models
        for parameter in parameters(model)
        if averages and parameter.gradient is not None and parameter.key in averages
    }
    yield
    for model in models if before else ():
        for parameter in parameters(model):
            if parameter.key in before:
                average = before[parameter.key]
                average += 2 / (n_updates + 2) * (parameter.weights - average)
                averages[parameter.key] = average  # type: ignore[index]
