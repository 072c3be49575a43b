"""Diagonal Fisher information: how much the old labels depend on each weight."""

import random
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Callable, Iterable, Iterator, List, Sequence, TypeVar

import numpy
import srsly
from spacy.language import Language
from thinc.api import Model
from thinc.backends import get_array_ops

from .cache import SilverCache
from .distillation import can_distil
from .freeze import drop_gradients
from .parameters import old_part, parameters
from .progress import progress
from .regularizers import Start
from .rehearse import learn_silver, silver_examples
from .session import Session
from .silver import SilverText, text_digest
from .teacher import zone
from .unseen import UNSEEN

ESTIMATE = "fisher2"  # another number for another way to estimate it
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
            for parameter in parameters(start.model):
                gradient = parameter.gradient
                if gradient is not None and parameter.place in sums:
                    sum_ = sums[parameter.place]
                    part = old_part(gradient, sum_)
                    sum_ += get_array_ops(gradient).to_numpy(part) ** 2
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


@contextmanager
def _without_a_trace(models: Sequence[Model]) -> Iterator[None]:
    """Draw the same random numbers each time, and afterwards those that were to come:
    a training must not depend on whether this ran. Nothing is dropped, so no others
    (PyTorch's, CuPy's) are drawn. Nor does it tell models which actions they have seen.
    """
    states = random.getstate(), numpy.random.get_state()
    unseen = [(x, {*x.attrs[UNSEEN]}) for x in models if UNSEEN in x.attrs]
    random.seed(0)
    numpy.random.seed(0)
    try:
        yield
    finally:
        random.setstate(states[0])
        numpy.random.set_state(states[1])
        for model, actions in unseen:
            model.attrs[UNSEEN] = actions


def weigh(
    nlp: Language, session: Session, texts: Sequence[SilverText], store: SilverCache
) -> None:
    """Estimate what the weights are worth to the old labels, or look it up.

    nlp (Language): The student. It has not moved yet.
    session (Session): The training run. Its starts are changed in place.
    texts (Sequence[SilverText]): The silver to estimate it on.
    store (SilverCache): Where it is kept, with the silver.
    """
    weights = [
        f"{key} {value.shape}"
        for start in session.starts
        for key, value in start.weights.items()
    ]
    with zone(nlp):
        examples = silver_examples(nlp, session, texts)
        taught = [f"{eg.text} {eg.get_aligned_ner()}" for eg in examples]
    key = f"{ESTIMATE}-{text_digest([*weights, *session.labels, *taught])}"
    if (data := store.get(key)) is not None:
        unpack(data, session.starts)
        return
    # Without distillation, spaCy drops a tenth of what actions are scored by, and the
    # large squares would be chance. At the start, it adds nothing itself.
    pipe = nlp.get_pipe(session.teacher.component)
    undropped = replace(session, soft=1.0 if can_distil(pipe) else 0.0)
    # spaCy cuts long texts at random: here, always in the same places.
    with (
        _without_a_trace([start.model for start in session.starts]),
        progress(texts, unit=" texts", desc="Fisher") as bar,
    ):
        estimate_fisher(
            session.starts, bar, lambda x: learn_silver(nlp, undropped, [x], 0.0)
        )
    store.put(key, pack(session.starts))
