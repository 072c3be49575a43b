"""Overlaps: where experts find a new label in what the teacher calls something else.

The gold shows who tends to be right. Each expert is asked about the gold that was held
out from it: wherever it finds a new label in one of the teacher's entities, gold says
whether that is one. What the teacher calls PRODUCT may be the new label nearly always,
what it calls GPE hardly ever.
"""

from typing import Collection, Dict, Mapping, Sequence, Tuple

from .completion import is_annotated
from .expert import Expert
from .findings import find_alone
from .teacher import Entity

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
        texts = [doc.text for doc in expert.heldout]
        found = find_alone(expert, texts, labels)
        for doc, entities in zip(expert.heldout, found, strict=True):
            gold = {(e.start_char, e.end_char, e.label_) for e in doc.ents}
            for start, end, label in entities:
                span = doc.char_span(start, end, alignment_mode="expand")
                if span is not None and not is_annotated(span):
                    continue
                for s, e, old in taught[doc.text]:
                    if start < e and s < end and old not in labels:
                        right, total = counts.get(old, (0, 0))
                        is_right = (start, end, label) in gold
                        counts[old] = right + is_right, total + 1
    return counts


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
