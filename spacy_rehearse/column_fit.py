"""Where a column fits: which recognisers can grow one, or a copy for one."""

from typing import Any, Mapping, Sequence, cast

from spacy.language import Language
from thinc.api import Model
from thinc.layers.concatenate import forward as concatenate

from .column import SIZES, token_vectors
from .column_config import n_columns
from .first_network import first_network
from .listeners import has_transformer, own_copy, upstream_of
from .teacher import Teacher


def can_grow(nlp: Language, component: str) -> bool:
    """RETURNS (bool): Whether a pipe's model is spaCy's transition-based parser, whose
    parts are known. A tok2vec that is a concatenation does not stay one thing: Thinc
    merges it with that of a column.
    """
    model: Model = cast(Any, nlp.get_pipe(component)).model
    config = nlp.get_pipe_config(component).get("model", {})
    return (
        {"tok2vec", "hidden_width"} <= set(config)
        and {"tok2vec", "lower", "upper"} <= set(model.ref_names)
        and token_vectors(model)._func is not concatenate
    )


def copy_fits(nlp: Language, component: str) -> bool:
    """RETURNS (bool): Whether a pipe has a tok2vec of its own, and its first network
    was not trained as one with columns. Nor is a copy for what PyTorch runs: a
    transformer is large, and learns at another rate.
    """
    if not can_grow(nlp, component) or upstream_of(nlp, component):
        return False
    pipe: Any = nlp.get_pipe(component)
    in_pytorch = any(node.shims for node in pipe.model.walk())
    return not in_pytorch and first_network(nlp, component).n_units > 0


def why_no_column(nlp: Language, teacher: Teacher, shared: Sequence[str]) -> str:
    """Find out whether a column can keep the old labels as they are.

    nlp (Language): The student.
    teacher (Teacher): The teacher.
    shared (Sequence[str]): Shared embedding pipes that learn.
    RETURNS (str): Why it can't, or would not help. Empty if it can, and helps.
    """
    component = teacher.component
    if not can_grow(nlp, component):
        return (
            f"{component!r} is no transition-based parser of spaCy's, or its tok2vec "
            "is a concatenation"
        )
    if has_transformer(teacher.nlp, component):
        return f"{component!r} learns with a transformer"
    if shared:
        return (
            f"{', '.join(shared)} would change under it. Add it to [training] "
            "frozen_components and annotating_components, and it stays as it is"
        )
    return ""


def check_columns(nlp: Language, teacher: Teacher) -> None:
    """Raise a ValueError if the student's config tells of other columns than the
    teacher's.

    nlp (Language): The student.
    teacher (Teacher): The teacher.
    """
    component = teacher.component
    if not (can_grow(nlp, component) and can_grow(teacher.nlp, component)):
        return
    ours, theirs = (
        n_columns(pipeline.get_pipe_config(component)["model"])
        for pipeline in (nlp, teacher.nlp)
    )
    if ours > theirs:
        raise ValueError(
            f"{component!r} has a column already that the teacher lacks. In a config, "
            "`source` and `teacher` have to be the same pipeline: to go on from a "
            "trained one, name that in both. In a loop of your own, the pipeline was "
            "initialized before: load the base anew"
        )
    if ours < theirs:  # spaCy puts the tok2vec's config in place of the whole column's
        raise ValueError(
            f"{component!r} of the teacher has a column, that of the pipeline none. If "
            "`teacher` and the `source` of the component are two pipelines, name one. "
            "If not, replace_listeners takes it out of the config, but not out of the "
            "model: what is saved could not be loaded. Take replace_listeners out, or "
            "name the place where the column listens: "
            f"{own_copy(teacher.nlp, component)}. `init-config` does that"
        )


def check_copy(teacher: Teacher, column: Mapping[str, Any]) -> None:
    """Raise a ValueError if a column is to be a copy, and can't.

    teacher (Teacher): The teacher.
    column (Mapping[str, Any]): The column's settings.
    """
    if not column.get("copy"):
        return
    where = "[initialize.components.rehearsal.column]"
    nlp, component = teacher.nlp, teacher.component
    if can_grow(nlp, component) and not first_network(nlp, component).n_units:
        raise ValueError(
            f"{where} copy is true, but all weights of {component!r} of the base were "
            "trained after it got a column: what it was before can't be copied. Set "
            "copy to null for a small column"
        )
    sizes = {x: column[x] for x in SIZES if column.get(x) is not None}
    if sizes:
        raise ValueError(
            f"{where} copy is true, but {sizes} are given, too: a copy has the size of "
            "the base. Leave one of both out"
        )
