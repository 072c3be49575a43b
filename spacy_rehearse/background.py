"""The start of a new label: a rare kind of `O`.

Until it is learnt, the teacher calls its mentions `O`: they are part of the background.
So its actions start with the weights of `O` (Cermelli et al. 2020, "Modeling the
background for incremental learning"), lowered to how often the gold has it. To win, it
then needs what tells it from other `O`, not all that tells `O` from entities.
"""

import math
from collections import Counter
from typing import Any, Collection, Iterable

from spacy.training import Example

OUTSIDE = "O"
BEGINNINGS = ("B", "U")  # actions that compete with O


def start_as_outside(
    pipe: Any, labels: Collection[str], examples: Iterable[Example]
) -> None:
    """Copy the weights of `O` to the first actions of new labels: nothing is predicted
    otherwise than before.

    pipe (Any): The entity recogniser, with spaCy's transition-based model. The labels
        were added to it already.
    labels (Collection[str]): The labels that are new to it.
    examples (Iterable[Example]): The gold.
    """
    counts: Counter = Counter()
    for eg in examples:
        counts["tokens"] += len(eg.reference)
        counts.update(ent.label_ for ent in eg.reference.ents)
    names = [pipe.moves.get_class_name(i) for i in range(pipe.moves.n_moves)]
    outside = names.index(OUTSIDE)
    for action, name in enumerate(names):
        kind, _, label = name.partition("-")
        if kind in BEGINNINGS and label in labels:
            share = (counts[label] + 1) / (counts["tokens"] + 1) / len(BEGINNINGS)
            _copy_output(pipe.model, outside, action, lower_by=-math.log(share))


def _copy_output(model: Any, source: int, target: int, *, lower_by: float) -> None:
    if model.attrs["has_upper"]:
        upper = model.get_ref("upper")
        upper.get_param("W")[target] = upper.get_param("W")[source]
        upper.get_param("b")[target] = upper.get_param("b")[source] - lower_by
    else:
        lower = model.get_ref("lower")
        lower.get_param("W")[:, target] = lower.get_param("W")[:, source]
        lower.get_param("pad")[:, :, target] = lower.get_param("pad")[:, :, source]
        lower.get_param("b")[target] = lower.get_param("b")[source] - lower_by
