"""Regularizers: methods in weight space, which act when all gradients are in."""

from typing import Any, Callable, Dict, List, NamedTuple, Tuple

from thinc.api import Model, Optimizer
from thinc.types import FloatsXd


class Start(NamedTuple):
    """A model, and what it was before its output layer grew and anything moved.

    model (Model): The model.
    weights (Dict[Tuple[int, str], FloatsXd]): Its weights, by position of the node in
        the model and name of the parameter.
    """

    model: Model
    weights: Dict[Tuple[int, str], FloatsXd]


RegularizerT = Callable[[List[Start], Optimizer], None]


EMBEDDING = "hashembed"  # thinc's name for a table of word features


def remember_start(pipe: Any) -> Start:
    """RETURNS (Start): A copy of a pipe's weights, as they are now, without embedding
    tables: the words of new labels have to be learnt there.
    """
    weights = {
        (number, name): node.get_param(name).copy()
        for number, node in enumerate(pipe.model.walk())
        for name in node.param_names
        if node.has_param(name) and node.name != EMBEDDING
    }
    return Start(pipe.model, weights)


def pull_to_start(start: Start, rate: float) -> None:
    """Pull weights back to where they started: w -= rate * (w - w0).

    L2-SP (Li, Grandvalet and Davoine 2018, "Explicit inductive bias for transfer
    learning with convolutional networks"), decoupled from the gradient, as weight decay
    is in AdamW (Loshchilov and Hutter 2019): Adam would rescale it away. What an output
    layer has gained since, the rows of new labels, is left free.

    start (Start): The model and its start.
    rate (float): Between 0 (nothing) and 1 (all the way).
    """
    nodes = list(start.model.walk())
    for (number, name), before in start.weights.items():
        now: Any = nodes[number].get_param(name)
        old = tuple(slice(0, size) for size in before.shape)
        now[old] -= rate * (now[old] - before)


def create_l2sp_v1(*, strength: float) -> RegularizerT:
    """Create L2-SP: at each update, pull the weights a little back to their start, but
    for embedding tables and the rows of new labels.

    strength (float): Share of the way back, in units of the learning rate. So it
        follows the rate's schedule.
    RETURNS (RegularizerT): The regularizer.
    RAISES (ValueError): If the strength is negative.
    """
    if strength < 0:
        raise ValueError(
            f"spacy-rehearse.L2SP.v1: strength is {strength}: it can't be negative (0 "
            "turns it off)"
        )

    def l2sp(starts: List[Start], optimizer: Optimizer) -> None:
        rate = min(strength * optimizer.learn_rate, 1.0)
        for start in starts:
            pull_to_start(start, rate)

    return l2sp
