"""Regularizers: methods in weight space, which act when all gradients are in."""

from typing import Any, Callable, Dict, List, NamedTuple, Optional

from thinc.api import Model, Optimizer
from thinc.backends import get_array_ops
from thinc.types import FloatsXd

from .freeze import MovableT, all_of
from .layers import layers_called
from .parameters import KeyT, old_part, parameters


class Start(NamedTuple):
    """A model, and what it was before its output layer grew and anything moved.

    model (Model): The model.
    weights (Dict[Tuple[int, str], FloatsXd]): Its weights, by their place in it.
    fisher (Dict[Tuple[int, str], FloatsXd]): How important each is for the old labels,
        1 in the mean. Empty unless a regularizer asks for it.
    """

    model: Model
    weights: Dict[KeyT, FloatsXd]
    fisher: Dict[KeyT, FloatsXd]


# Called when all gradients are in. It may change the weights at once, and tell which of
# them the gradients must not move.
RegularizerT = Callable[[List[Start], Optimizer], Optional[MovableT]]


FISHER_TEXTS = "fisher_texts"  # attribute of a regularizer: the silver that it asks for
FROZEN_PARTS = "frozen_parts"  # and the names of layers that it has to find
FREEZE = "spacy-rehearse.Freeze.v1"
EMBEDDING = "hashembed"  # thinc's name for a table of word features


def remember_start(pipe: Any) -> Start:
    """RETURNS (Start): A copy of a pipe's weights, as they are now."""
    weights = {x.place: x.weights.copy() for x in parameters(pipe.model)}
    return Start(pipe.model, weights, {})


def pull_to_start(start: Start, rate: float) -> None:
    """Pull weights back to where they started: w -= rate * (w - w0).

    L2-SP (Li, Grandvalet and Davoine 2018, "Explicit inductive bias for transfer
    learning with convolutional networks"), decoupled from the gradient, as weight decay
    is in AdamW (Loshchilov and Hutter 2019): Adam would rescale it away. What an output
    layer has gained since, the rows of new labels, is left free, and so are embedding
    tables: the words of new labels have to be learnt there.

    start (Start): The model and its start.
    rate (float): Between 0 (nothing) and 1 (all the way).
    """
    for parameter in parameters(start.model):
        before = start.weights.get(parameter.place)
        if before is not None and parameter.layer != EMBEDDING:
            now = old_part(parameter.weights, before)
            now -= rate * (now - before)


def pull_by_fisher(start: Start, rate: float) -> None:
    """Pull weights back to where they started, the more the old labels depend on them:
    w -= min(rate * F, 1) * (w - w0).

    EWC (Kirkpatrick et al. 2017, "Overcoming catastrophic forgetting in neural
    networks"), whose penalty is strength / 2 * F * (w - w0)², decoupled from the
    gradient like L2-SP above. New rows of an output layer are left free. It can't
    overshoot, whatever the strength.

    start (Start): The model, its start and its Fisher information.
    rate (float): From 0 up.
    """
    for parameter in parameters(start.model):
        fisher = start.fisher.get(parameter.place)
        if fisher is not None:
            before = start.weights[parameter.place]
            now = old_part(parameter.weights, before)
            now -= (rate * fisher).clip(0, 1) * (now - before)


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


def create_ewc_v1(*, strength: float, n_texts: int = 200) -> RegularizerT:
    """Create EWC: at each update, pull the weights a little back to their start, the
    more the old labels depend on them.

    strength (float): Share of the way back for a weight of mean importance, in units of
        the learning rate. So it follows the rate's schedule.
    n_texts (int): How much silver importance is estimated on, text by text, once.
    RETURNS (RegularizerT): The regularizer.
    RAISES (ValueError): If a number is out of its range.
    """
    if strength < 0 or n_texts < 1:
        raise ValueError(
            f"spacy-rehearse.EWC.v1: strength is {strength}, n_texts is {n_texts}: "
            "expected 0 or more, and at least 1 text"
        )

    def ewc(starts: List[Start], optimizer: Optimizer) -> None:
        for start in starts:
            pull_by_fisher(start, strength * optimizer.learn_rate)

    setattr(ewc, FISHER_TEXTS, n_texts)
    return ewc


def create_freeze_v1(
    *, parts: Optional[List[str]] = None, rows: Optional[str] = None
) -> RegularizerT:
    """Create a regularizer that freezes parts of the pipe that learns, inside it, where
    spaCy's frozen_components does not reach.

    parts (Optional[List[str]]): Names of layers, e.g. "tok2vec", "embed", "encode" or
        "lower": all that is in them stays bit by bit.
    rows (Optional[str]): "old" to freeze what the output layer had before, so that
        there only the actions of new labels learn.
    RETURNS (RegularizerT): The regularizer.
    RAISES (ValueError): If nothing is to be frozen.
    """
    if rows not in (None, "old") or not (parts or rows):
        raise ValueError(
            f"{FREEZE}: parts is {parts}, rows is {rows!r}: expected "
            'names of layers, rows = "old", or both'
        )
    known: Dict[int, MovableT] = {}  # by the first model, found at the first update

    def freeze(starts: List[Start], optimizer: Optimizer) -> MovableT:
        training = starts[0].model.id
        if training not in known:
            movable: Dict[Any, Any] = {}
            models = [start.model for start in starts]
            for name in parts or []:
                for layer in layers_called(name, models, FREEZE):
                    movable.update(all_of(layer))
            for start in starts:  # last: a part may be the output layer
                movable.update(_old_rows(start) if rows else {})
            known[training] = movable
        return known[training]

    setattr(freeze, FROZEN_PARTS, parts or [])
    return freeze


def _old_rows(start: Start) -> MovableT:
    """What grew since the start is the output layer: only its new part may move."""
    movable: Dict[Any, Any] = {}
    for parameter in parameters(start.model):
        before = start.weights.get(parameter.place)
        if before is not None and before.shape != parameter.weights.shape:
            free = get_array_ops(before).xp.ones(parameter.weights.shape, dtype=bool)
            old_part(free, before)[...] = False
            movable[parameter.key] = free
    return movable
