"""Overlaps: where experts find a new label in what the teacher calls something else.

The gold shows who tends to be right. Each expert is asked about the gold that was held
out from it: wherever it finds a new label in one of the teacher's entities, gold says
whether that is one. What the teacher calls PRODUCT may be the new label nearly always,
what it calls GPE hardly ever.
"""

from typing import Collection, Dict, Iterator, List, Mapping, Sequence, Tuple

from .completion import is_annotated
from .expert import Expert
from .findings import find_alone
from .teacher import Entity, as_entities, overlaps

# The share of right findings, with one right and one wrong one added as a prior.
EXPERT_WINS, TEACHER_WINS = 0.7, 0.3

OverlapsT = Dict[str, Tuple[int, int]]  # label: the expert was right, of so many times


def count_overlaps(
    experts: Sequence[Expert],
    labels: Collection[str],
    taught: Mapping[str, Sequence[Entity]],
) -> OverlapsT:
    """Count how often experts are right where the teacher says something else.

    experts (Sequence[Expert]): The experts.
    labels (Collection[str]): The new labels.
    taught (Mapping[str, Sequence[Entity]]): The teacher's entities by gold text.
    RETURNS (OverlapsT): For each of the teacher's labels, how often the expert was
        right, and how often there was an overlap.
    """
    counts: OverlapsT = {}
    for expert in experts:
        for contesting, is_right in judge(expert, labels, taught):
            for old in contesting:
                right, total = counts.get(old, (0, 0))
                counts[old] = right + is_right, total + 1
    return counts


def judge(
    expert: Expert, labels: Collection[str], taught: Mapping[str, Sequence[Entity]]
) -> Iterator[Tuple[List[str], bool]]:
    """Judge what an expert finds in the gold that was held out from it.

    expert (Expert): The expert.
    labels (Collection[str]): The new labels.
    taught (Mapping[str, Sequence[Entity]]): The teacher's entities by gold text.
    YIELDS (Tuple[List[str], bool]): What the teacher calls it, or parts of it, and
        whether gold says that it is new. Where gold says nothing, it does not count.
    """
    texts = [doc.text for doc in expert.heldout]
    found = find_alone(expert, texts, labels)
    for doc, entities in zip(expert.heldout, found, strict=True):
        gold = as_entities(doc.ents)
        theirs = rivals(taught[doc.text], labels)
        for entity in entities:
            span = doc.char_span(entity[0], entity[1], alignment_mode="expand")
            if span is None or is_annotated(span):
                contesting = [x[2] for x in theirs if overlaps(entity, [x])]
                yield contesting, entity in gold


def rivals(entities: Sequence[Entity], labels: Collection[str]) -> List[Entity]:
    """RETURNS (List[Entity]): The teacher's entities of other labels than these."""
    return [entity for entity in entities if entity[2] not in labels]


def verdicts_on(counts: OverlapsT) -> Dict[str, bool]:
    """Decide whose word counts.

    counts (OverlapsT): How often experts were right against each of the teacher's
        labels.
    RETURNS (Dict[str, bool]): For each label on which there is evidence, whether the
        expert's word beats the teacher's.
    """
    verdicts = {}
    for label, (right, total) in counts.items():
        share = (right + 1) / (total + 2)
        if share >= EXPERT_WINS or share <= TEACHER_WINS:
            verdicts[label] = share >= EXPERT_WINS
    return verdicts
