"""Frozen weights: what an update does not move, weight decay and momentum included."""

from typing import Any, Dict, Mapping, Optional

from thinc.api import Model, Optimizer

from .parameters import KeyT, parameters

# What may move of a parameter, as an array of bools of its shape. None for nothing.
MovableT = Mapping[KeyT, Optional[Any]]


def all_of(model: Model) -> MovableT:
    """RETURNS (MovableT): That nothing of a model may move."""
    return {parameter.key: None for parameter in parameters(model)}


def both(one: MovableT, other: MovableT) -> MovableT:
    """RETURNS (MovableT): What may move by both."""
    merged = {**one, **other}
    for key in one.keys() & other.keys():
        first, second = one[key], other[key]
        merged[key] = None if first is None or second is None else first & second
    return merged


def frozen_weights(model: Model, movable: MovableT) -> Dict[KeyT, Any]:
    """RETURNS (Dict[Tuple[int, str], Array]): Copies of what may not move, or not all
    of it.
    """
    return {x.key: x.weights.copy() for x in parameters(model) if x.key in movable}


def put_back(model: Model, movable: MovableT, before: Mapping[KeyT, Any]) -> bool:
    """Undo what someone else's update has done to frozen weights.

    model (Model): The model, changed in place.
    movable (MovableT): What may move.
    before (Mapping[Tuple[int, str], Array]): What the weights have to be.
    RETURNS (bool): Whether any had moved.
    """
    moved = False
    for parameter in parameters(model):
        key, weights = parameter.key, parameter.weights
        if key in before:
            free, wrong = movable[key], weights != before[key]
            if free is not None:
                wrong &= ~free
            if wrong.any():
                weights[wrong] = before[key][wrong]
                moved = True
    return moved


def update_movable(model: Model, optimizer: Optimizer, movable: MovableT) -> None:
    """Apply a model's gradients, but to frozen weights: those stay as they are, bit by
    bit.

    A gradient of 0 would not do: weight decay and momentum would move the weights. All
    gradients are gone afterwards, so that another finish_update moves nothing.

    model (Model): The model.
    optimizer (Optimizer): The optimizer.
    movable (Mapping[Tuple[int, str], Optional[Array]]): What may move of the parameters
        that are not free to move as a whole.
    """
    before: Dict[KeyT, Any] = {}
    for parameter in parameters(model):
        key = parameter.key
        if parameter.gradient is None or key not in movable:
            continue
        free = movable[key]
        if free is None:
            parameter.drop_gradient()
        else:
            parameter.gradient[~free] = 0  # before its norm is clipped
            before[key] = parameter.weights.copy()
    averages = getattr(optimizer, "averages", None)  # thinc's; it takes any callable
    model.finish_update(optimizer)
    for parameter in parameters(model):
        key = parameter.key
        if key in before:
            frozen = movable[key] == 0
            parameter.weights[frozen] = before[key][frozen]
            if averages is not None and key in averages:
                averages[key][frozen] = before[key][frozen]
        parameter.drop_gradient()


def drop_gradients(model: Model) -> None:
    """Take all gradients of a model off."""
    for parameter in parameters(model):
        parameter.drop_gradient()
