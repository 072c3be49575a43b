"""Scores: what was learnt, what was kept, and what was flooded."""

from typing import Collection, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from spacy.language import Language
from spacy.scorer import PRFScore
from spacy.tokens import Doc
from spacy.training import Example

from .completion import is_annotated
from .teacher import Entity, as_entities, overlaps

# Shown in the log (0.0), weighted (1.0), or computed and hidden (None).
SCORE_WEIGHTS: Dict[str, Optional[float]] = {
    "rehearsal_score": 1.0,
    "rehearsal_new_f": 0.0,
    "rehearsal_retention": 0.0,
    "rehearsal_flood": 0.0,
    "rehearsal_old_f": None,
    "rehearsal_bwt": None,
}


def entity_prf(examples: Iterable[Example], labels: Collection[str]) -> PRFScore:
    """Count right and wrong entities of some labels against the reference.

    As spacy.scorer.get_ner_prf does, a prediction on a token whose annotation is
    missing counts neither as right nor as wrong.

    examples (Iterable[Example]): The examples, with predictions.
    labels (Collection[str]): The labels that count.
    RETURNS (PRFScore): The counts.
    """
    score = PRFScore()
    for eg in examples:
        x2y = eg.alignment.x2y
        gold = {(e.label_, e.start, e.end) for e in eg.reference.ents}
        missed = {span for span in gold if span[0] in labels}
        for ent in eg.predicted.ents:
            at = x2y[ent.start : ent.end]
            if ent.label_ not in labels or not len(at):
                continue
            found = eg.reference[at[0] : at[-1] + 1]
            key = (ent.label_, found.start, found.end)
            if key in missed:
                score.tp += 1
                missed.remove(key)
            elif is_annotated(found):
                score.fp += 1
        score.fn += len(missed)
    return score


def silver_prf(
    predicted: Sequence[Sequence[Entity]],
    silver: Sequence[Sequence[Entity]],
    labels: Collection[str],
) -> PRFScore:
    """Count where the student says what the teacher says.

    predicted (Sequence[Sequence[Entity]]): The student's entities, text by text.
    silver (Sequence[Sequence[Entity]]): The teacher's, of the same texts.
    labels (Collection[str]): The labels that count.
    RETURNS (PRFScore): The counts.
    """
    score = PRFScore()
    for ours, theirs in zip(predicted, silver, strict=True):
        score.score_set(
            {entity for entity in ours if entity[2] in labels},
            {entity for entity in theirs if entity[2] in labels},
        )
    return score


def marked_in(gold: Iterable[Doc], labels: Collection[str]) -> Dict[str, List[Entity]]:
    """RETURNS (Dict[str, List[Entity]]): What annotation marks of some labels, by text,
    without space around it: so the reader of a pool has it.
    """
    marked: Dict[str, List[Entity]] = {}
    for doc in gold:
        theirs = as_entities(ent for ent in doc.ents if ent.label_ in labels)
        text = doc.text.lstrip()
        start = len(doc.text) - len(text)
        shifted = [(s - start, e - start, label) for s, e, label in theirs]
        marked.setdefault(text.rstrip(), []).extend(shifted)
    return marked


def unmarked(
    texts: Sequence[str],
    found: Sequence[Sequence[Entity]],
    marked: Mapping[str, Sequence[Entity]],
) -> List[Tuple[Entity, ...]]:
    """Leave out what is found where annotation of the same text marks something else:
    it knows better than a teacher.

    texts (Sequence[str]): The texts.
    found (Sequence[Sequence[Entity]]): What is found in each.
    marked (Mapping[str, Sequence[Entity]]): What is marked, by text: see marked_in.
    RETURNS (List[Tuple[Entity, ...]]): The rest.
    """
    return [
        tuple(x for x in entities if not overlaps(x, marked.get(text, ())))
        for text, entities in zip(texts, found, strict=True)
    ]


def agreement(score: PRFScore) -> float:
    """RETURNS (float): The F-score, where two that both see nothing agree: 1.0."""
    return score.fscore if len(score) else 1.0


def flood(
    predicted: Iterable[Iterable[Entity]], labels: Collection[str], n_words: int
) -> float:
    """Measure how many new-label entities are predicted where few are to be expected.

    predicted (Iterable[Iterable[Entity]]): The student's entities, text by text.
    labels (Collection[str]): The new labels.
    n_words (int): Number of tokens of the texts.
    RETURNS (float): Entities of these labels for each 1,000 words.
    """
    n_new = sum(label in labels for entities in predicted for _, _, label in entities)
    return 1000 * n_new / max(n_words, 1)


def harmonic_mean(a: float, b: float) -> float:
    """RETURNS (float): The harmonic mean: 0 if either is 0."""
    return 2 * a * b / (a + b) if a and b else 0.0


def mean(values: Sequence[float]) -> float:
    """RETURNS (float): The mean, e.g. macro F from each label's F. 0 for none."""
    return sum(values) / len(values) if values else 0.0


def backward_transfer(matrix: Sequence[Sequence[float]]) -> float:
    """Measure what later steps did to what was learnt before (Lopez-Paz and Ranzato
    2017, "Gradient episodic memory"): negative is forgetting.

    matrix (Sequence[Sequence[float]]): Scores: a row for each step, a column for each
        task, tasks in the order in which they were learnt.
    RETURNS (float): Mean of the last score minus the score when just learnt, over all
        tasks but the last. 0 after a single step.
    """
    earlier = range(len(matrix) - 1)
    return mean([matrix[-1][i] - matrix[i][i] for i in earlier])


def forgetting(matrix: Sequence[Sequence[float]]) -> float:
    """Measure how far scores fell from their best (Chaudhry et al. 2018).

    matrix (Sequence[Sequence[float]]): As for `backward_transfer`.
    RETURNS (float): Mean of the best score of all steps but the last, minus the last,
        over all tasks but the last. 0 after a single step.
    """
    earlier = range(len(matrix) - 1)
    return mean([max(row[i] for row in matrix[:-1]) - matrix[-1][i] for i in earlier])


def gap_closed(score: float, naive: float, joint: float) -> float:
    """RETURNS (float): How far a score gets from naive fine-tuning (0) to joint
    training (1). Undefined, nan, if the two are level.
    """
    return (score - naive) / (joint - naive) if joint != naive else float("nan")


def default_score_weights(nlp: Language, name: str) -> Dict[str, Optional[float]]:
    """RETURNS (Dict[str, Optional[float]]): A pipe's scores, by its factory's word."""
    return nlp.get_pipe_meta(name).default_score_weights or {}


def old_labels_in(
    examples: Iterable[Example], labels: Collection[str]
) -> Tuple[str, ...]:
    """RETURNS (Tuple[str, ...]): Which of `labels` the references hold."""
    found = {ent.label_ for eg in examples for ent in eg.reference.ents}
    return tuple(sorted(found.intersection(labels)))
