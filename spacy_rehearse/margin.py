"""Margin: by how much the score of `O` is raised while new labels learn.

Where gold is scarce, a new label is learnt with a prior that is too low: hardly a token
of it was seen, and all that is not sure is left `O`. If it has to beat `O` by a margin
while it learns, it wins over `O` more often when the margin is gone (logit adjustment:
Menon et al. 2021, "Long-tail learning via logit adjustment"). Over the old labels it
wins no more often.
"""

from typing import Any, Callable

from .distillation import action_names
from .layers import output_layer

OUTSIDE = "O"


def raise_scores(pipe: Any, chosen: Callable[[str], bool], by: float) -> None:
    """Raise the scores of some actions, in place, whatever the text.

    pipe (Parser): The recogniser.
    chosen (Callable[[str], bool]): Which actions, by name, e.g. "B-ORG" or "O".
    by (float): By how much. Negative to lower them.
    """
    bias = get_bias(pipe)
    bias[[i for i, name in enumerate(action_names(pipe)) if chosen(name)]] += by
    set_bias(pipe, bias)


def is_outside(action: str) -> bool:
    """RETURNS (bool): Whether it is the action that leaves a token without entity."""
    return action == OUTSIDE


def label_of(action: str) -> str:
    """RETURNS (str): The label of an action, empty for `O`."""
    return action.partition("-")[2]


def get_bias(pipe: Any) -> Any:
    """RETURNS (FloatsXd): A copy of the bias of a recogniser's scores."""
    return output_layer(pipe.model).get_param("b").copy()


def set_bias(pipe: Any, bias: Any) -> None:
    """Set the bias of a recogniser's scores."""
    output_layer(pipe.model).set_param("b", bias)
