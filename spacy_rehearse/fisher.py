"""Diagonal Fisher information: how much the old labels depend on each weight."""

from typing import Any, Callable, Iterable, List, TypeVar

import numpy
import srsly
from thinc.backends import get_array_ops

from .freeze import drop_gradients
from .regularizers import Start

TextT = TypeVar("TextT")


def estimate_fisher(
    starts: List[Start],
    texts: Iterable[TextT],
    add_gradients: Callable[[TextT], Any],
) -> None:
    """Estimate the diagonal of the Fisher information at the start (Kirkpatrick et al.
    2017): the mean of the squared gradients of single texts.

    starts (List[Start]): Models that have not moved yet. Their `fisher` is filled in:
        the information of each weight, divided by its mean over all weights.
    texts (Iterable[TextT]): Silver, at least one text.
    add_gradients (Callable[[TextT], Any]): Adds the gradients of a text's loss.
    """
    squares = [
        {key: numpy.zeros(w.shape, dtype="f") for key, w in start.weights.items()}
        for start in starts
    ]
    for text in texts:
        add_gradients(text)
        for start, sums in zip(starts, squares, strict=True):
            for number, node in enumerate(start.model.walk()):
                for name in node.param_names:
                    if node.has_grad(name) and (number, name) in sums:
                        gradient = node.ops.to_numpy(node.get_grad(name))
                        old = sums[number, name]
                        block = tuple(slice(0, size) for size in old.shape)
                        old += gradient[block] ** 2
            drop_gradients(start.model)
    n_weights = sum(old.size for sums in squares for old in sums.values())
    total = sum(float(old.sum()) for sums in squares for old in sums.values())
    scale = n_weights / total if total else 0.0
    for start, sums in zip(starts, squares, strict=True):
        for key, old in sums.items():
            ops = get_array_ops(start.weights[key])
            start.fisher[key] = ops.asarray(old * scale)


def pack(starts: List[Start]) -> bytes:
    """RETURNS (bytes): What was estimated, to keep."""
    tables = [
        [[*key, get_array_ops(value).to_numpy(value)] for key, value in fisher.items()]
        for _, _, fisher in starts
    ]
    return srsly.msgpack_dumps(tables)


def unpack(data: bytes, starts: List[Start]) -> None:
    """Fill in what was estimated before.

    data (bytes): What `pack` made of the same models.
    starts (List[Start]): The models, changed in place.
    """
    for start, table in zip(starts, srsly.msgpack_loads(data), strict=True):
        for number, name, value in table:
            ops = get_array_ops(start.weights[number, name])
            start.fisher[number, name] = ops.asarray(value)
