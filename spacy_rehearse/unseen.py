"""Unseen actions: those that no text of the training has called for, e.g. "U-ORG" where
all organisations have two words.

While a recogniser is in memory, spaCy does not let it choose them, and does not train
what scores them. But it does not save which these are, and their scores are whatever
they were: so what is loaded again could find what was never learnt, nor scored.
"""

from typing import Any, Collection, List

from .distillation import action_names, label_of
from .layers import OUTPUT_AXES, output_layer
from .margin import OUTSIDE

UNSEEN = "unseen_classes"  # spaCy's name for them
BEHIND = 1.0  # by how much they lose
BEHIND_IN_BEAM = 20.0  # which goes on with paths that are not the best


def seen_actions(pipe: Any, labels: Collection[str]) -> List[int]:
    """RETURNS (List[int]): The places of some labels' actions that were called for.

    pipe (Parser): The recogniser.
    labels (Collection[str]): The labels.
    """
    unseen = pipe.model.attrs[UNSEEN]
    return [i for i in _actions_of(pipe, labels) if i not in unseen]


def see_in_beam(pipe: Any, labels: Collection[str]) -> None:
    """Let some labels' actions count as called for, if a beam makes all updates:
    spaCy, which does not train the others, looks for what is called for in greedy
    updates alone.

    pipe (Parser): The recogniser.
    labels (Collection[str]): The labels: those that the gold has.
    """
    cfg = getattr(pipe, "cfg", {})  # a recogniser of one's own may have none
    if cfg.get("beam_width", 1) > 1 and cfg.get("beam_update_prob", 0) >= 1:
        pipe.model.attrs[UNSEEN] -= {*_actions_of(pipe, labels)}


def silence_unseen(pipe: Any, labels: Collection[str]) -> bool:
    """Let unseen actions lose to `O` on any text, in place.

    pipe (Parser): The recogniser.
    labels (Collection[str]): The labels.
    RETURNS (bool): Whether there are any.
    """
    unseen = pipe.model.attrs[UNSEEN]
    rows = [i for i in _actions_of(pipe, labels) if i in unseen]
    if not rows:
        return False
    layer = output_layer(pipe.model)
    outside = action_names(pipe).index(OUTSIDE)
    behind = BEHIND_IN_BEAM if pipe.cfg.get("beam_width", 1) > 1 else BEHIND
    for name, axis in OUTPUT_AXES[layer.name].items():
        weights: Any = layer.get_param(name).copy()
        of_actions = layer.ops.xp.moveaxis(weights, axis, 0)
        of_actions[rows] = of_actions[outside] - (behind if name == "b" else 0.0)
        layer.set_param(name, weights)
    return True


def _actions_of(pipe: Any, labels: Collection[str]) -> List[int]:
    return [i for i, x in enumerate(action_names(pipe)) if label_of(x) in labels]
