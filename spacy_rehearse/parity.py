"""Parity: an untrained student must say exactly what its teacher says."""

from collections import Counter
from typing import Any, List, Sequence

from spacy.language import Language

from .scorer import agreement, silver_prf
from .session import Session
from .silver import SilverText
from .teacher import (
    Teacher,
    lookups_digest,
    parameter_digests,
    predict_entities,
    required_pipes,
    tokenizer_digest,
    vectors_digest,
)

N_TEXTS = 200
NOISE = 0.99  # agreement that rounding alone (another batch, a GPU) stays above

VOCAB = '[initialize.before_init] @callbacks = "spacy.copy_from_base_model.v1" with '


def check_parity(nlp: Language, session: Session) -> None:
    """Raise a ValueError, naming the cause, if student and teacher disagree.

    Tokenizer, vectors and lookups do not come with a sourced component, and a
    component may have been initialised anew: then the student has forgotten before
    it starts to learn.

    nlp (Language): The student, before the first update.
    session (Session): The training run.
    """
    teacher, sample = session.teacher, session.heldout[:N_TEXTS]
    pipes = required_pipes(nlp, teacher.component, teacher.pipes)
    ours = predict_entities(nlp, pipes, [item.text for item in sample])
    theirs = [item.entities for item in sample]
    score = silver_prf(ours, theirs, teacher.labels)
    if not score.fp + score.fn:
        return
    causes = differences(nlp, session) or _stale(teacher, sample)
    if causes or agreement(score) < NOISE:
        raise ValueError(
            "student and teacher disagree before the first update: the student misses "
            f"{score.fn} and adds {score.fp} of {score.tp + score.fn} entities in "
            f"{len(sample)} held-out texts. "
            + (" ".join(causes) or "No cause found in weights, vocab or tokenizer.")
        )


def _stale(teacher: Teacher, sample: Sequence[SilverText]) -> List[str]:
    """RETURNS (List[str]): What is wrong if the teacher itself says something else now
    than its silver: no digest sees what a registered function does.
    """
    now = predict_entities(teacher.nlp, teacher.pipes, [item.text for item in sample])
    score = silver_prf(now, [item.entities for item in sample], teacher.labels)
    if agreement(score) >= NOISE:
        return []
    return [
        "The teacher itself says something else now than what the silver cache holds: "
        "code that it needs (a tokenizer, an architecture) has changed. Empty the "
        "cache: python -m spacy rehearse annotate --clear .rehearsal_cache (or where "
        "it is)."
    ]


def differences(nlp: Language, session: Session) -> List[str]:
    """Find what sets the student apart from its teacher.

    nlp (Language): The student.
    session (Session): The training run.
    RETURNS (List[str]): A sentence for each difference, with what to change.
    """
    teacher, causes = session.teacher, []
    if vectors_digest(nlp) != vectors_digest(teacher.nlp):
        causes.append(
            "The word vectors differ: set [initialize] vectors = ${paths.base}."
        )
    if lookups_digest(nlp) != lookups_digest(teacher.nlp):
        causes.append(
            "The lookups tables of the vocab, which set token.norm, differ: set "
            + VOCAB
            + "vocab = ${paths.base}."
        )
    if tokenizer_digest(nlp) != tokenizer_digest(teacher.nlp):
        causes.append(
            "The tokenizer differs: set " + VOCAB + "tokenizer = ${paths.base}."
        )
    ours = weights_digest(nlp, session.learning)
    if session.weights_digest and ours != session.weights_digest:
        causes.append(
            f"The weights of {teacher.component!r} are not the teacher's: it was "
            "sourced from another pipeline, or initialised anew. Set source = "
            f"${{paths.base}} in [components.{teacher.component}]; in a loop of your "
            'own, initialize inside `with nlp.select_pipes(enable=["rehearsal"])`.'
        )
    return causes


def weights_digest(nlp: Language, pipes: Sequence[str]) -> Counter:
    """RETURNS (Counter): Digests of all parameters of some pipes."""
    return Counter(d for name in pipes for d in parameter_digests(nlp.get_pipe(name)))


def is_grown(nlp: Language, teacher: Teacher) -> bool:
    """RETURNS (bool): Whether the student has new labels already, and a larger output
    layer for them: it was initialized before.
    """
    pipe: Any = nlp.get_pipe(teacher.component)
    return set(pipe.labels) > set(teacher.labels)


def check_weights(nlp: Language, teacher: Teacher) -> None:
    """Raise a ValueError if the weights of the teacher's pipes are not the student's.

    nlp (Language): The student.
    teacher (Teacher): The teacher.
    """
    pipes = required_pipes(nlp, teacher.component, teacher.pipes)
    ours = weights_digest(nlp, pipes)
    if not is_grown(nlp, teacher) and weights_digest(teacher.nlp, teacher.pipes) - ours:
        raise ValueError(
            f"{teacher.component!r} of the pipeline has other weights than that of the "
            f"teacher {teacher.name!r}: its source is another pipeline, or it was "
            f"initialised anew. Set source in [components.{teacher.component}] and "
            "teacher to the base, ${paths.base}"
        )
