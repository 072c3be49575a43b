"""Interpolation between the weights of a base and of its student.

WiSE-FT (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"): between both
there is often a pipeline that learnt nearly all, and keeps more.
"""

import math
from typing import Any

from spacy.language import Language
from thinc.api import Model

from .column_config import n_columns
from .distillation import action_names, can_distil
from .layers import output_layer
from .listeners import listener_paths, upstream_of
from .parameters import Parameter, old_part, parameters
from .teacher import check_recogniser

NEVER = -1e6  # a score that never wins


def interpolate(base: Language, student: Language, component: str, alpha: float) -> int:
    """Move a student's weights, in place, towards the base's: w0 + alpha * (w - w0).

    What the student's output layer has gained, the actions of new labels, has no start
    to move to. Their scores are lowered by -log(alpha), as if new labels were so much
    rarer. So with 0 the student predicts just what the base does, and with 1 what it
    did.

    base (Language): The original pipeline. If it shares embeddings, and the student has
        a copy of its own, the recogniser gets one, too.
    student (Language): The pipeline that was fine-tuned from it.
    component (str): The name of the recogniser that learnt. Shared embeddings that it
        listens to are moved, too.
    alpha (float): From 0, the base, to 1, the student.
    RETURNS (int): How many weights differed.
    RAISES (ValueError): If alpha is something else, or the pipelines differ in more
        than weights and labels.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha is {alpha}: expected 0 (the base) to 1 (the student)")
    _check_component(base, student, component)
    if not upstream_of(student, component):  # it was given its own copy to learn
        for name in upstream_of(base, component):
            base.replace_listeners(name, component, listener_paths(base, component))
    _check_shared(base, student, component)
    n_moved = 0
    for name in [*upstream_of(student, component), component]:
        before: Any = base.get_pipe(name)
        after: Any = student.get_pipe(name)
        if name == component:
            _check_actions(before, after, component)
        top = output_layer(after.model) if name == component else None
        _check_layers(before.model, after.model, name)
        pairs = zip(parameters(before.model), parameters(after.model), strict=True)
        for old, new in pairs:
            grows = top is not None and new.key[0] == top.id
            n_moved += _blend(old, new, alpha, grows=grows)
    return n_moved


def _check_component(base: Language, student: Language, component: str) -> None:
    for pipeline, what in ((base, "base"), (student, "student")):
        check_recogniser(pipeline, component, f"the {what}")
        if not can_distil(pipeline.get_pipe(component)):
            raise ValueError(
                f"{component!r} of the {what} is no transition-based parser of "
                "spaCy's, such as 'ner': nobody knows what its weights are for"
            )
    before, after = (
        pipeline.get_pipe_config(component).get("model", {})
        for pipeline in (base, student)
    )
    if n_columns(after) > n_columns(before):
        raise ValueError(
            f"{component!r} of the student has a column that the base lacks. Beside "
            "one, the base's weights are frozen: there is nothing to interpolate. With "
            "column = null in [initialize.components.rehearsal] all weights learn"
        )


def _check_shared(base: Language, student: Language, component: str) -> None:
    ours, theirs = (set(upstream_of(nlp, component)) for nlp in (student, base))
    if ours != theirs:
        raise ValueError(
            f"{component!r} listens to {sorted(theirs) or 'nothing'} in the base, and "
            f"to {sorted(ours) or 'nothing'} in the student: only a pipeline that was "
            "fine-tuned from the base can be interpolated with it"
        )


def _check_layers(base: Model, student: Model, name: str) -> None:
    ours, theirs = list(student.walk()), list(base.walk())
    if [x.name for x in ours] != [x.name for x in theirs]:
        raise ValueError(
            f"{name!r} is not built alike in both pipelines: {len(theirs)} layers in "
            f"the base, {len(ours)} in the student. Only a pipeline that was "
            "fine-tuned from the base can be interpolated with it"
        )


def _check_actions(base: Any, student: Any, component: str) -> None:
    theirs, ours = action_names(base), action_names(student)
    if ours[: len(theirs)] != theirs:
        raise ValueError(
            f"the labels of {component!r} in the student do not begin with the base's: "
            f"{list(base.labels)} and {list(student.labels)}"
        )


def _blend(base: Parameter, student: Parameter, alpha: float, *, grows: bool) -> int:
    old, new = base.weights, student.weights
    if old.shape != new.shape and not grows:
        raise ValueError(
            f"layer {base.layer!r} is {old.shape} in the base and {new.shape} in "
            "the student: it was not fine-tuned from it"
        )
    shared = old_part(new, old)
    n_moved = int((shared != old).sum())
    if alpha < 1:
        shared[...] = old + alpha * (shared - old)
    if base.key[1] == "b" and old.shape != new.shape:
        new[old.shape[0] :] += math.log(alpha) if alpha else NEVER
    return n_moved
