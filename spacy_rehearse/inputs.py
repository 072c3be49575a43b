"""Inputs: teacher, gold, pool and memory, checked before anything is labelled."""

import warnings
from typing import Any, List, NamedTuple, Sequence, Set, Tuple

from spacy.language import Language

from . import checks
from .column_fit import check_columns, check_copy, why_no_column
from .discriminative import NAME as DISCRIMINATIVE
from .gold import (
    GetExamplesT,
    Gold,
    check_dev_exists,
    read_gold,
    resolve_labels,
    warn_of_dev,
)
from .labelling import count_texts
from .layers import layers_called
from .listeners import check_listeners, upstream_of
from .memory import Memory, round_key
from .parity import check_weights
from .regularizers import FREEZE
from .rounds import check_none_is_lost, open_memory
from .settings import Settings
from .teacher import Teacher, annotators_of, load_teacher


class Inputs(NamedTuple):
    """What there is before anything is labelled, and found to be in order.

    teacher (Teacher): The teacher.
    gold (Gold): The gold.
    memory (Memory): Human annotation of earlier rounds.
    n_pool (int): Number of texts in the pool.
    labels (Tuple[str, ...]): The labels that are to be learnt.
    frozen (Tuple[str, ...]): The frozen components.
    annotating (Tuple[str, ...]): The annotating components.
    upstream (List[str]): Shared embedding pipes that the learning pipe listens to.
    no_column (str): Why there can't be a column. Empty if there can.
    seed (int): The seed of the training.
    """

    teacher: Teacher
    gold: Gold
    memory: Memory
    n_pool: int
    labels: Tuple[str, ...]
    frozen: Tuple[str, ...]
    annotating: Tuple[str, ...]
    upstream: List[str]
    no_column: str
    seed: int

    @property
    def corrected(self) -> Set[str]:
        """Labels that the teacher knows, and that are learnt anew."""
        return self.teacher.corrected(self.labels)


def read_inputs(nlp: Language, get_examples: GetExamplesT, how: Settings) -> Inputs:
    """Read what there is, and check it. Cheap checks come first.

    nlp (Language): The pipeline, with the rehearsal component in it.
    get_examples (Callable[[], Iterable[Example]]): The gold.
    how (Settings): How to rehearse.
    RETURNS (Inputs): What there is.
    RAISES (ValueError): If anything would spoil the training.
    """
    config = nlp.config.interpolate()
    training = config["training"]
    frozen = tuple(training["frozen_components"])
    annotating = tuple(training["annotating_components"])
    checks.check_settings(how)
    checks.check_memory(how.memory)
    checks.check_cache(how.cache)
    checks.check_pipeline(nlp, how.name, how.component, frozen)
    check_dev_exists(config)
    gold = read_gold(get_examples, nlp)
    memory = open_memory(how.memory)
    check_listeners(nlp, how.component, frozen, annotating, gold.examples)
    n_pool = count_texts(how.pool(nlp))
    teacher = load_teacher(how.teacher, how.component, annotating, nlp.max_length)
    _warn_of_annotators(teacher, annotating)
    checks.check_vectors(nlp, teacher)
    check_columns(nlp, teacher)
    check_weights(nlp, teacher)
    check_copy(teacher, how.column or {})
    labels = resolve_labels(how.labels, gold.labels, teacher.labels)
    checks.check_completed(gold.examples, teacher, labels)
    warn_of_dev(config, labels)
    if how.memory and how.memory.get("save_to"):
        key = round_key(teacher.weights, labels)
        check_none_is_lost(memory, key, how.memory["save_to"])
    upstream = upstream_of(nlp, how.component)
    learning: List[Any] = [nlp.get_pipe(x) for x in (*upstream, how.component)]
    models = [pipe.model for pipe in learning]
    for name in how.frozen_parts:  # one that there is not shows now
        layers_called(name, models, FREEZE)
    for name in training["optimizer"].get("multipliers", ()):
        layers_called(name, models, DISCRIMINATIVE)
    shared = [name for name in upstream if name not in frozen]
    return Inputs(
        teacher=teacher,
        gold=gold,
        memory=memory,
        n_pool=n_pool,
        labels=labels,
        frozen=frozen,
        annotating=annotating,
        upstream=upstream,
        no_column=why_no_column(nlp, teacher, shared),
        seed=training["seed"] or 0,
    )


def _warn_of_annotators(teacher: Teacher, annotating: Sequence[str]) -> None:
    """Warn if the student is not shown what the teacher was trained to read."""
    own = annotators_of(teacher.nlp, teacher.component)
    if missing := [name for name in own if name not in annotating]:
        warnings.warn(
            f"{teacher.component!r} of the base was trained with {', '.join(missing)} "
            "as annotating components, and may read what they set. Add them to "
            "[training] annotating_components",
            stacklevel=2,
        )
