"""Fitting: what the settings leave open, chosen by what the gold is like."""

import random
import warnings
from typing import Any, Dict, List, Optional, Sequence

from spacy.language import Language

from .column import DEFAULT_COLUMN, SIZES
from .column_fit import copy_fits
from .distillation import can_distil
from .expert import Expert, miss_most
from .inputs import Inputs
from .recipe import (
    FEW_ENTITIES,
    LEAD_OF_COPY,
    MARGIN,
    MARGIN_ALONE,
    MOSTLY_NEW,
    NARROW,
    SHALLOW,
    WIDE,
    must_step_back,
    shares_renamed,
    should_copy,
)
from .renaming import Renamer, labels_of_names, share_of_new_names
from .settings import Settings
from .teacher import Teacher


def fit_margin(how: Settings, inputs: Inputs, experts: Sequence[Expert]) -> float:
    """Choose the margin, unless the user did: none, unless gold is scarce, and less
    without silver.

    how (Settings): How to rehearse.
    inputs (Inputs): What there is.
    experts (Sequence[Expert]): The experts.
    RETURNS (float): The margin.
    """
    if how.margin is not None:
        return how.margin
    if not is_scarce(inputs, experts):
        return 0.0
    return MARGIN if how.ratio else MARGIN_ALONE


def fit_lead(pipe: Any, *, copy: bool, step_back: bool) -> float:
    """Choose by how much new labels' lead over `O` is multiplied.

    pipe (Pipe): The recogniser that learns.
    copy (bool): Whether they learn in a copy of the base.
    step_back (bool): Whether old labels learn to make room for them.
    RETURNS (float): The factor, 1.0 for none.
    """
    fits = copy and not step_back and pipe.model.attrs["has_upper"]
    return LEAD_OF_COPY if fits else 1.0


def is_scarce(inputs: Inputs, experts: Sequence[Expert]) -> bool:
    """Find out whether gold is too little for what it teaches.

    inputs (Inputs): What there is.
    experts (Sequence[Expert]): The experts.
    RETURNS (bool): Whether it is: experts tell or, without any, its size.
    """
    n_entities = sum(inputs.gold.labels[label] for label in inputs.labels)
    return miss_most(experts) if experts else n_entities < FEW_ENTITIES


def old_scores_move(
    how: Settings, inputs: Inputs, has_column: bool, hidden: float
) -> bool:
    """Find out whether the training can change what old labels score.

    how (Settings): How to rehearse.
    inputs (Inputs): What there is.
    has_column (bool): Whether the new labels get weights of their own.
    hidden (float): Share of the new entities that the teacher's hide.
    RETURNS (bool): Whether it can: where all weights learn, or old labels have to step
        back.
    """
    steps_back = (how.column or {}).get("step_back")
    if has_column and steps_back is not None:
        return steps_back
    return not has_column or must_step_back(hidden, inputs.corrected)


def fit_copy(how: Settings, inputs: Inputs) -> bool:
    """Choose whether the column is a copy of the base, unless the user did.

    how (Settings): How to rehearse. There is a column.
    inputs (Inputs): What there is.
    RETURNS (bool): Whether it is one. It is none if it is given a size.
    """
    settings = {**DEFAULT_COLUMN, **(how.column or {})}
    if settings["copy"] is not None:
        return settings["copy"]
    if any(settings[size] is not None for size in SIZES):
        return False
    n_words = sum(len(eg.reference) for eg in inputs.gold.examples)
    n_entities = sum(inputs.gold.labels[label] for label in inputs.labels)
    fits = copy_fits(inputs.teacher.nlp, how.component)
    return fits and should_copy(n_words, n_entities)


def fit_column(
    how: Settings,
    inputs: Inputs,
    experts: Sequence[Expert],
    renamer: Optional[Renamer],
    *,
    copy: bool,
    step_back: bool,
) -> Dict[str, Any]:
    """Choose what the column is like, where the user did not.

    how (Settings): How to rehearse.
    inputs (Inputs): What there is.
    experts (Sequence[Expert]): The experts.
    renamer (Optional[Renamer]): What renames, if names are made up.
    copy (bool): Whether it is a copy.
    step_back (bool): Whether old scores can move.
    RETURNS (Dict[str, Any]): Whether it is a copy, its width, depth and hidden units if
        it is none, and whether old labels learn to step back.
    """
    either = {"copy": copy, "step_back": step_back}
    if copy:
        return either
    size = WIDE if renamer else NARROW
    if is_scarce(inputs, experts):
        size = SHALLOW
    settings = {**DEFAULT_COLUMN, **(how.column or {})}
    fits = {**size, **either}
    return {key: fits[key] if x is None else x for key, x in settings.items()}


def fit_renamer(
    nlp: Language,
    how: Settings,
    inputs: Inputs,
    experts: Sequence[Expert],
    *,
    has_column: bool,
    copy: bool,
    moves: bool,
) -> Optional[Renamer]:
    """Choose how many entities are learnt under made-up names, unless the user did, and
    how many of the others in each other's place.

    nlp (Language): The student.
    how (Settings): How to rehearse.
    inputs (Inputs): What there is.
    experts (Sequence[Expert]): The experts.
    has_column (bool): Whether the new labels get weights of their own.
    copy (bool): Whether these are a copy of the base's.
    moves (bool): Whether old scores can move.
    RETURNS (Optional[Renamer]): What renames. None if all names stay as they are.
    """
    docs = [eg.reference for eg in inputs.gold.examples]
    labels = inputs.labels
    shares = {"made_up": how.rename or 0.0}
    if how.rename is None and has_column:
        labels = labels_of_names(docs, labels)
        n_names = sum(inputs.gold.labels[label] for label in labels)
        if share_of_new_names(docs, labels) >= MOSTLY_NEW:
            shares = shares_renamed(
                n_names,
                copy=copy,
                silver=how.ratio > 0,
                scarce=is_scarce(inputs, experts),
            )
    if not any(shares.values()) or others_that_learn(nlp, how, inputs):
        return None
    if shares["made_up"] and not how.ratio and not moves:
        # Nothing else shows old entities by other names.
        labels += tuple(x for x in inputs.teacher.labels if x not in labels)
    # The student's vocab is saved, the teacher's is not.
    vocab = inputs.teacher.nlp.vocab
    rng = random.Random(inputs.seed)
    refuted = getattr(nlp.get_pipe(how.component), "incorrect_spans_key", None)
    return Renamer(docs, labels, vocab, rng, refuted=refuted, **shares)


def others_that_learn(nlp: Language, how: Settings, inputs: Inputs) -> List[str]:
    """RETURNS (List[str]): Pipes whose annotation would go with the names."""
    ours = (how.name, how.component, *inputs.upstream, *inputs.frozen)
    return [
        name
        for name, pipe in nlp._components  # while spaCy initializes, most are disabled
        if getattr(pipe, "is_trainable", False) and name not in ours
    ]


def fit_soft(pipe: Any, teacher: Teacher, weight: float) -> float:
    """Leave distillation out, with a warning, where there are no scores to distil.

    pipe (Pipe): The recogniser that learns.
    teacher (Teacher): The teacher.
    weight (float): The weight of distillation that the user wants.
    RETURNS (float): The weight, or 0.
    """
    if weight and not can_distil(pipe):
        warnings.warn(
            f"component {teacher.component!r} does not score actions one by one: "
            "silver is learnt without distillation (soft = 0)",
            stacklevel=2,
        )
        return 0.0
    return weight
