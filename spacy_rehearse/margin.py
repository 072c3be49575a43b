"""Margin: what new labels have to beat while they learn, to win or lose afterwards.

Where gold is scarce, a new label is learnt with a prior that is too low: hardly a token
of it was seen, and all that is not sure is left `O`. If it has to beat `O` by a margin
while it learns, it wins over `O` more often when the margin is gone (logit adjustment:
Menon et al. 2021, "Long-tail learning via logit adjustment").

With old labels it is the other way round. Their scores are lowered meanwhile: where one
of them is right, a new label has to stay further below it, and where gold has a new
label in its place, that need not be pushed as high. So old labels keep what they are
sure of.
"""

from typing import Any, Callable, Collection

from .distillation import action_names, label_of
from .layers import output_layer

OUTSIDE = "O"
OLD_MARGIN = 2.0  # by how much old labels are lowered, for each 1 that `O` is raised


def set_margin(pipe: Any, margin: float, old_labels: Collection[str]) -> None:
    """Raise `O` and lower the old labels, in place.

    pipe (Parser): The recogniser.
    margin (float): By how much the score of `O` is raised.
    old_labels (Collection[str]): The labels that are not learnt.
    """
    raise_scores(pipe, lambda action: action == OUTSIDE, margin)
    lowered = -OLD_MARGIN * margin
    raise_scores(pipe, lambda action: label_of(action) in old_labels, lowered)


def raise_scores(pipe: Any, chosen: Callable[[str], bool], by: float) -> None:
    """Raise the scores of some actions, in place, whatever the text.

    pipe (Parser): The recogniser.
    chosen (Callable[[str], bool]): Which actions, by name, e.g. "B-ORG" or "O".
    by (float): By how much. Negative to lower them.
    """
    bias = get_bias(pipe)
    if rows := [i for i, name in enumerate(action_names(pipe)) if chosen(name)]:
        bias[rows] += by  # CuPy takes no empty list for an index
        set_bias(pipe, bias)


def get_bias(pipe: Any) -> Any:
    """RETURNS (FloatsXd): A copy of the bias of a recogniser's scores."""
    return output_layer(pipe.model).get_param("b").copy()


def set_bias(pipe: Any, bias: Any) -> None:
    """Set the bias of a recogniser's scores."""
    output_layer(pipe.model).set_param("b", bias)
