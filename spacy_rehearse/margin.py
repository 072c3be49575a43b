"""Margin: by how much the scores of new labels are lowered while they learn.

Where gold is scarce, a new label is learnt with a prior that is too low: hardly a token
of it was seen, and all that is not sure is left `O`. If its scores have to be higher by
a margin to win while it learns, they are higher by as much when it is over (logit
adjustment: Menon et al. 2021, "Long-tail learning via logit adjustment").
"""

from typing import Any, Collection

from .distillation import action_names
from .layers import output_layer


def raise_scores(pipe: Any, labels: Collection[str], by: float) -> None:
    """Raise the scores of some labels' actions, in place, whatever the text.

    pipe (Parser): The recogniser.
    labels (Collection[str]): The labels.
    by (float): By how much. Negative to lower them.
    """
    chosen = [
        i
        for i, name in enumerate(action_names(pipe))
        if name.partition("-")[2] in labels
    ]
    layer = output_layer(pipe.model)
    bias: Any = layer.get_param("b").copy()
    bias[chosen] += by
    layer.set_param("b", bias)
