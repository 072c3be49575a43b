"""Evaluation of the student: on gold dev, and on held-out silver."""

from typing import Dict, List, Optional

from spacy.language import Language
from spacy.training import Example

from . import scorer
from .completion import place_entities, set_entities
from .session import Session
from .teacher import predict_entities, required_pipes


def evaluate_student(
    nlp: Language, session: Session, examples: List[Example]
) -> Dict[str, Optional[float]]:
    """Compute all rehearsal scores.

    nlp (Language): The student.
    session (Session): The training run.
    examples (List[Example]): The gold dev set, with the student's predictions.
    RETURNS (Dict[str, Optional[float]]): The scores. Old F and backward transfer are
        None unless the dev set holds old labels.
    """
    texts = [item.text for item in session.heldout]
    pipes = required_pipes(nlp, session.teacher.component, session.annotating)
    predicted = predict_entities(nlp, pipes, texts)
    silver = [item.entities for item in session.heldout]
    kept = scorer.silver_prf(predicted, silver, session.old_labels)
    new_f = scorer.entity_prf(examples, session.labels).fscore
    retention = scorer.agreement(kept)
    n_words = sum(item.n_words for item in session.heldout)
    return {
        "rehearsal_score": scorer.harmonic_mean(new_f, retention),
        "rehearsal_new_f": new_f,
        "rehearsal_retention": retention,
        "rehearsal_flood": scorer.flood(predicted, session.labels, n_words),
        **_score_old_labels(session, examples),
    }


def _score_old_labels(
    session: Session, examples: List[Example]
) -> Dict[str, Optional[float]]:
    labels = scorer.old_labels_in(examples, session.old_labels)
    if not labels:
        return {"rehearsal_old_f": None, "rehearsal_bwt": None}
    after = scorer.entity_prf(examples, labels).fscore
    before = scorer.entity_prf(_as_teacher(session, examples), labels).fscore
    return {"rehearsal_old_f": after, "rehearsal_bwt": after - before}


def _as_teacher(session: Session, examples: List[Example]) -> List[Example]:
    found = session.entities_in([eg.reference.text for eg in examples])
    predictions = []
    for eg, entities in zip(examples, found, strict=True):
        predicted = eg.predicted.copy()
        predicted.set_ents([], default="outside")
        set_entities(predicted, place_entities(predicted, entities)[0], set())
        predictions.append(Example(predicted, eg.reference))
    return predictions
