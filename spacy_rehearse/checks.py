"""Checks: what would spoil the training in silence, found before it starts."""

from typing import Iterable, List, Sequence

from spacy.language import Language
from spacy.training import Example

from .teacher import Teacher, check_recogniser, upstream_of, vectors_digest

FACTORY = "rehearsal"
MOST_MISALIGNED = 0.05  # share of the teacher's entities


def check_settings(ratio: float, heldout: float) -> None:
    """Raise a ValueError if a number is out of its range."""
    if ratio < 0:
        raise ValueError(
            f"[components.rehearsal] ratio is {ratio}: silver words per gold word "
            "can't be negative (0 turns silver off)"
        )
    if not 0 < heldout < 1:
        raise ValueError(
            f"[initialize.components.rehearsal] heldout is {heldout}: it is a share of "
            "the pool, above 0 and below 1"
        )


def check_pipeline(
    nlp: Language, name: str, component: str, frozen: Sequence[str]
) -> None:
    """Raise a ValueError if the component's place or its target can't work.

    nlp (Language): The pipeline.
    name (str): The name of the rehearsal component.
    component (str): The name of the pipe that learns.
    frozen (Sequence[str]): The frozen components.
    """
    names = nlp.component_names
    twins = [n for n in names if nlp.get_pipe_meta(n).factory == FACTORY]
    if len(twins) > 1:
        raise ValueError(
            f"the pipeline holds more than one rehearsal component: {twins}. Keep one"
        )
    if names[0] != name:
        raise ValueError(
            f"{name!r} must stand first in [nlp] pipeline, before {names[0]!r}, to "
            "complete the gold before any other pipe learns from it"
        )
    check_recogniser(nlp, component, "the pipeline")
    if component in frozen:
        raise ValueError(
            f"component {component!r} learns the new labels, but stands in [training] "
            f"frozen_components {list(frozen)}: take it out"
        )


def check_vectors(nlp: Language, teacher: Teacher) -> None:
    """Raise a ValueError if the teacher's word vectors are not the student's."""
    n_vectors = teacher.nlp.vocab.vectors.shape[0]
    if n_vectors and vectors_digest(nlp) != vectors_digest(teacher.nlp):
        raise ValueError(
            f"the teacher {teacher.name!r} has {n_vectors} word vectors, the pipeline "
            f"has other ones or none ({nlp.vocab.vectors.shape[0]}): a sourced "
            "component comes without them. Set [initialize] vectors to the base, e.g. "
            "vectors = ${paths.base}"
        )


def check_listeners(
    nlp: Language,
    component: str,
    frozen: Sequence[str],
    annotating: Sequence[str],
    gold: Iterable[Example],
) -> None:
    """Raise a ValueError if a shared tok2vec would not learn, or give no vectors.

    spaCy hands the gradient of a shared tok2vec back with its last listener only
    (spacy/pipeline/tok2vec.py, Tok2Vec.update): if that one is frozen, or finds
    nothing to learn from in the gold, the tok2vec stays as it is without a word.

    nlp (Language): The pipeline.
    component (str): The pipe that learns.
    frozen (Sequence[str]): The frozen components.
    annotating (Sequence[str]): The annotating components.
    gold (Iterable[Example]): The gold.
    """
    for name in upstream_of(nlp, component):
        last = nlp.get_pipe(name).listening_components[-1]
        if name in frozen:
            if name not in annotating:
                raise ValueError(
                    f"{component!r} listens to {name!r}, which is frozen and gives it "
                    "nothing to listen to: add it to [training] annotating_components"
                )
        elif last in frozen:
            raise ValueError(
                f"{last!r}, the last component that listens to {name!r}, is frozen: "
                f"{name!r} would then silently learn nothing, though it is not frozen. "
                + _remedy(component, name)
            )
        elif last != component and not _can_learn(nlp.get_pipe(last), gold):
            raise ValueError(
                f"{last!r}, the last component that listens to {name!r}, finds no "
                f"annotation in the gold: {name!r} would then silently learn nothing. "
                + _remedy(component, name)
            )


def _remedy(component: str, tok2vec: str) -> str:
    return (
        f'Either give {component!r} its own copy (replace_listeners = ["model.'
        f'tok2vec"] in [components.{component}]) and freeze {tok2vec!r} with those '
        f"that listen to it, or freeze {tok2vec!r} and list it in [training] "
        "annotating_components"
    )


def _can_learn(pipe, gold: Iterable[Example]) -> bool:
    moves = getattr(pipe, "moves", None)  # only these skip examples without annotation
    return moves is None or any(moves.has_gold(eg) for eg in gold)


def check_misaligned(n_misaligned: int, n_entities: int) -> None:
    """Raise a ValueError if too many of the teacher's entities can't be carried over.

    n_misaligned (int): Entities that the student's tokenizer cuts in two.
    n_entities (int): All the entities.
    """
    share = n_misaligned / max(n_entities, 1)
    if share > MOST_MISALIGNED:
        raise ValueError(
            f"the tokenizer splits the teacher's texts differently: {n_misaligned} of "
            f"{n_entities} entities ({share:.1%}, allowed {MOST_MISALIGNED:.0%}) are "
            "misaligned. The tokenizer is not sourced with a component: copy it with "
            '[initialize.before_init] @callbacks = "spacy.copy_from_base_model.v1" and '
            "tokenizer = ${paths.base}"
        )


def check_entities(heldout_entities: List, n_texts: int) -> None:
    """Raise a ValueError if the teacher finds nothing in the held-out texts."""
    if not any(heldout_entities):
        raise ValueError(
            f"the teacher finds no entity in {n_texts} held-out pool texts: retention "
            "can't be measured. Use raw text like that which the pipeline reads, and "
            "more of it"
        )
