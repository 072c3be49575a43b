"""Lead: by how much a new label beats `O` counts more than it was learnt with.

A base is sure of its entities. A copy of it, which learns of a few hundred, finds that
a name is more likely one of them than nothing, but where the base has a word of its own
for that name, it is hardly ever surer. So each new label's lead over `O` is multiplied,
once it is learnt: an old label now wins over it only if it leads as much more. Between
new labels and `O`, and among new labels, nothing changes: leads keep their signs and
their order (calibration between the two parts of a classifier, as of old and new
classes in Wu et al. 2019, "Large scale incremental learning").

The weights of the output layer hold it: a new label's row r becomes o + k (r - o), with
o for that of `O`. Rows of actions that were never seen have not learnt to lose (see
unseen.py), so they have no lead.
"""

from typing import Any, MutableMapping, Sequence

from .distillation import action_names
from .layers import output_layer
from .margin import OUTSIDE
from .parameters import KeyT
from .recipe import LEAD_GROWS


def lead_after(n_updates: int, lead: float) -> float:
    """Let a lead grow while new labels have not learnt yet to lose where `O` does, too:
    on old entities. Multiplied at once, what is left to chance would win there.

    n_updates (int): How many updates there were.
    lead (float): What it grows to.
    RETURNS (float): The factor.
    """
    return 1 + (lead - 1) * min(1.0, n_updates / LEAD_GROWS)


def scale_lead(pipe: Any, actions: Sequence[int], by: float) -> None:
    """Multiply the lead of actions over `O`, in place.

    pipe (Parser): The recogniser.
    actions (Sequence[int]): Their places: those of new labels.
    by (float): The factor, above 0.
    """
    if not actions:  # CuPy takes no empty index
        return
    layer = output_layer(pipe.model)
    for name in layer.param_names:
        weights = layer.get_param(name).copy()
        _scale_rows(weights, pipe, actions, by)
        layer.set_param(name, weights)


def scale_averages(
    averages: MutableMapping[KeyT, Any], pipe: Any, actions: Sequence[int], by: float
) -> None:
    """Do the same to an optimizer's averages of the weights.

    averages (Dict[Tuple[int, str], Array]): The averages, changed in place.
    pipe (Parser): The recogniser.
    actions (Sequence[int]): The places of the actions.
    by (float): The factor, above 0.
    """
    if not actions:
        return
    layer = output_layer(pipe.model)
    for name in layer.param_names:
        if (layer.id, name) in averages:
            _scale_rows(averages[layer.id, name], pipe, actions, by)


def _scale_rows(weights: Any, pipe: Any, rows: Sequence[int], by: float) -> None:
    outside = weights[action_names(pipe).index(OUTSIDE)].copy()
    weights[rows] = outside + by * (weights[rows] - outside)
