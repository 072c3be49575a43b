"""The backward pass beside frozen weights: gradients of what learns, and no others.

Both only replace how a layer is run. Config and weights stay ordinary ones.
"""

from functools import partial
from typing import Any, Callable, List, Tuple

from thinc.api import Model, set_dropout_rate


def stop_gradients(model: Model) -> None:
    """Let a frozen model only predict: nothing is dropped, nothing goes back."""
    model._func = partial(_predict, model._func)


def _predict(
    forward: Callable, model: Model, X: Any, is_train: bool
) -> Tuple[Any, Callable[[Any], List]]:
    # A listener misses vectors only while it trains. An earlier column that stands on
    # it must drop nothing then.
    listens = is_train and "listener" in model.name
    if listens:
        set_dropout_rate(model, 0.0)
    Y, _ = forward(model, X, listens)
    return Y, lambda dY: []


def learn_new_units(layer: Model, n_units: int, n_inputs: int) -> None:
    """Leave the old units out of a hidden layer's backward pass, in place.

    spaCy's own (spacy/ml/_precomputable_affine.py) works out the gradients of all, for
    each word that the recogniser steps to. With a copy of the base that was a fifth of
    the time that an update took. What it gives is spaCy's, and not quite the gradient
    of the scores: for a word that a state lacks, where the padding stands in, it reads
    the batch's last one. The exact one teaches no more (docs/recipe.md).

    layer (Model): spaCy's PrecomputableAffine.
    n_units (int): Number of old units, the first ones. They read no new input.
    n_inputs (int): Number of old inputs, the first ones. What makes them is frozen.
    """
    layer._func = partial(_forward, layer._func, n_units, n_inputs)


def _forward(
    forward: Callable, n_units: int, n_inputs: int, model: Model, X: Any, is_train: bool
) -> Tuple[Any, Callable]:
    Y, whole_backprop = forward(model, X, is_train)
    if not is_train:
        return Y, whole_backprop
    ops: Any = model.ops
    n_features, n_read = model.get_dim("nF"), model.get_dim("nI")
    weights: Any = model.get_param("W")
    weights = weights[:, n_units:, :, n_inputs:].transpose((1, 2, 0, 3))
    weights = weights.reshape((weights.shape[0] * weights.shape[1], -1))

    def backprop(dY_ids: Tuple[Any, Any]) -> Any:
        dY, ids = dY_ids  # of states, and which words they read
        dY = dY[:, n_units:]
        n_states, n_new, n_pieces = dY.shape
        flat = ops.as_contig(dY.reshape((n_states, -1)))
        read = X[ids].reshape((n_states, n_features * n_read))
        dW = ops.gemm(flat, read, trans1=True)
        dW = dW.reshape((n_new, n_pieces, n_features, n_read))
        d_pad = ops.gemm(ops.asarray(ids < 0, dtype="f"), flat, trans1=True)
        d_pad = d_pad.reshape((n_features, n_new, n_pieces))
        _gradient(model, "W")[:, n_units:] += dW.transpose((2, 0, 1, 3))
        _gradient(model, "b")[n_units:] += dY.sum(axis=0)
        _gradient(model, "pad")[0, :, n_units:] += d_pad
        dX = ops.alloc3f(n_states, n_features, n_read)
        d_new = ops.gemm(flat, weights)
        dX[:, :, n_inputs:] = d_new.reshape((n_states, n_features, -1))
        return dX

    return Y, backprop


def _gradient(model: Model, name: str) -> Any:
    """RETURNS (FloatsXd): A parameter's gradient, to add to in place."""
    if not model.has_grad(name):
        weights: Any = model.get_param(name)
        model.set_grad(name, model.ops.xp.zeros_like(weights))
    return model.get_grad(name)
