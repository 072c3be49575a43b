"""Discriminative fine-tuning: a learning rate for each part of the pipe that learns
(Howard and Ruder 2018, "Universal language model fine-tuning", section 3.2).
"""

from typing import Any, Dict, Sequence

from thinc.api import Model, Optimizer

from .layers import layers_called
from .parameters import KeyT, parameters

NAME = "spacy-rehearse.Discriminative.v1"


class Discriminative(Optimizer):
    """An optimizer whose rate is multiplied for some layers.

    An optimizer sees no more of a layer than a number, so it has to be told which are
    which: the rehearsal component calls `bind` at the first update.

    wrapped (Optimizer): The optimizer. Its settings and schedules are taken over.
    multipliers (Dict[str, float]): What the rate is multiplied by, by name of a layer.
        Of layers within each other, the one named last counts.
    """

    __slots__ = ["multipliers", "scales"]

    def __init__(self, wrapped: Optimizer, multipliers: Dict[str, float]) -> None:
        for name in Optimizer.__slots__:
            setattr(self, name, getattr(wrapped, name))
        self.multipliers = multipliers
        self.scales: Dict[KeyT, float] = {}

    def bind(self, models: Sequence[Model]) -> None:
        """Find the layers.

        models (Sequence[Model]): The models of the pipes that learn.
        RAISES (ValueError): If there is no such layer.
        """
        for name, multiplier in self.multipliers.items():
            for layer in layers_called(name, models, NAME):
                self.scales.update({x.key: multiplier for x in parameters(layer)})

    def __call__(
        self,
        key: KeyT,
        weights: Any,
        gradient: Any,
        *,
        lr_scale: float = 1.0,
    ):
        """RETURNS (Tuple[FloatsXd, FloatsXd]): Weights and gradient after a step."""
        if not self.scales:
            raise ValueError(
                f"{NAME} does not know the layers yet: it needs the component "
                "'rehearsal' in the pipeline, which names them at the first update"
            )
        rate = self.learn_rate
        self.learn_rate = rate * self.scales.get(key, 1.0)
        try:
            return super().__call__(key, weights, gradient, lr_scale=lr_scale)
        finally:
            self.learn_rate = rate


def create_discriminative_v1(
    *, optimizer: Optimizer, multipliers: Dict[str, float]
) -> Optimizer:
    """Create an optimizer with a rate of its own for some layers, e.g. a lower one for
    `tok2vec` than for the head.

    optimizer (Optimizer): Any registered optimizer.
    multipliers (Dict[str, float]): What its rate is multiplied by, by name of a layer.
    RETURNS (Optimizer): The optimizer.
    RAISES (ValueError): If a multiplier is negative, or there is none.
    """
    if not multipliers or any(value < 0 for value in multipliers.values()):
        raise ValueError(
            f"{NAME}: multipliers is {multipliers}: expected a number from 0 up for "
            "the name of at least one layer, e.g. tok2vec = 0.1"
        )
    return Discriminative(optimizer, multipliers)
