"""Evaluation of the student: on gold dev, and on held-out silver."""

import math
from typing import Collection, Dict, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.scorer import PRFScore
from spacy.training import Example

from . import scorer
from .completion import place_entities, set_entities
from .session import Session
from .silver import SilverText
from .teacher import Entity, predict_entities, required_pipes, sets_entities

# Words of what is held out: retention is then sure to about a point. All of it would
# take half of a training in which checkpoints are scored often.
MOST_SCORED = 20_000


class LabelScore(NamedTuple):
    """How one label fares.

    label (str): The label.
    kept (Optional[PRFScore]): Agreement with the teacher on held-out pool text. None
        for a label that it lacks.
    before (Optional[float]): F of the teacher on dev. None if dev does not mark it.
    after (Optional[float]): F of the student on dev.
    is_learnt (bool): Whether it is new, or corrected.
    """

    label: str
    kept: Optional[PRFScore]
    before: Optional[float]
    after: Optional[float]
    is_learnt: bool = False


def evaluate_student(
    nlp: Language, session: Session, examples: List[Example]
) -> Tuple[Dict[str, Optional[float]], List[LabelScore]]:
    """Compute all rehearsal scores.

    Of both, the recogniser alone counts: what another pipe, such as an entity_ruler,
    does to its entities is neither learnt nor forgotten.

    nlp (Language): The student.
    session (Session): The training run.
    examples (List[Example]): The gold dev set, with the pipeline's predictions.
    RETURNS (Tuple[Dict[str, Optional[float]], List[LabelScore]]): The scores, of which
        old F and backward transfer are None unless the dev set holds old labels; and
        what is known of each label.
    """
    heldout = every_nth(session.heldout)
    texts = [item.text for item in heldout]
    pipes = required_pipes(nlp, session.teacher.component, session.annotating)
    predicted = predict_entities(nlp, pipes, texts)
    if others_set_entities(nlp, pipes):
        dev = [eg.reference.text for eg in examples]
        examples = _as_if(examples, predict_entities(nlp, pipes, dev))
    # Where dev stands for the pool, it is no loss to find what it marks.
    marked_new = scorer.marked_in((eg.reference for eg in examples), session.labels)
    predicted, silver = (
        scorer.unmarked(texts, found, marked_new)
        for found in (predicted, [item.entities for item in heldout])
    )
    kept = scorer.silver_prf(predicted, silver, session.old_labels)
    new_f = scorer.entity_prf(examples, session.labels).fscore
    retention = scorer.agreement(kept)
    n_words = sum(item.n_words for item in heldout)
    added = set(session.labels) - set(session.teacher.labels)
    taught = session.entities_in([eg.reference.text for eg in examples])
    was = _as_if(examples, taught)
    scores = {
        "rehearsal_score": scorer.harmonic_mean(new_f, retention),
        "rehearsal_new_f": new_f,
        "rehearsal_retention": retention,
        "rehearsal_flood": scorer.flood(predicted, added, n_words),
        **_score_old_labels(session, examples, was),
    }
    marked = {ent.label_ for eg in examples for ent in eg.reference.ents}
    by_label = [
        LabelScore(
            label,
            scorer.silver_prf(predicted, silver, [label])
            if label in session.teacher.labels
            else None,
            scorer.entity_prf(was, [label]).fscore if label in marked else None,
            scorer.entity_prf(examples, [label]).fscore if label in marked else None,
            is_learnt=label in session.labels,
        )
        for label in (*session.old_labels, *session.labels)
    ]
    return scores, by_label


def every_nth(heldout: Sequence[SilverText]) -> Sequence[SilverText]:
    """RETURNS (Sequence[SilverText]): Every second, or third, ... text: as many as have
    MOST_SCORED words, about, from all of the pool.
    """
    n_words = sum(item.n_words for item in heldout)
    return heldout[:: max(1, math.ceil(n_words / MOST_SCORED))]


def _score_old_labels(
    session: Session, examples: List[Example], was: List[Example]
) -> Dict[str, Optional[float]]:
    labels = scorer.old_labels_in(examples, session.old_labels)
    if not labels:
        return {"rehearsal_old_f": None, "rehearsal_bwt": None}
    after = scorer.entity_prf(examples, labels).fscore
    before = scorer.entity_prf(was, labels).fscore
    return {"rehearsal_old_f": after, "rehearsal_bwt": after - before}


def others_set_entities(nlp: Language, pipes: Collection[str]) -> bool:
    """RETURNS (bool): Whether a pipe other than these sets entities, or might."""
    others = [name for name in nlp.pipe_names if name not in pipes]
    return any(
        sets_entities(nlp, name)
        or not nlp.get_pipe_meta(name).assigns
        and not getattr(nlp.get_pipe(name), "is_trainable", False)
        for name in others
    )


def _as_if(
    examples: Sequence[Example], found: Sequence[Sequence[Entity]]
) -> List[Example]:
    """RETURNS (List[Example]): The same, as if just these entities were predicted."""
    predictions = []
    for eg, entities in zip(examples, found, strict=True):
        predicted = eg.predicted.copy()
        predicted.set_ents([], default="outside")
        set_entities(predicted, place_entities(predicted, entities)[0], set())
        predictions.append(Example(predicted, eg.reference))
    return predictions
