"""Trial: what the experts' word on the pool is worth, before it is taken for true."""

from typing import Collection, Iterable, Mapping, NamedTuple, Sequence

from spacy.tokens import Doc

from .completion import is_annotated
from .expert import Expert, miss_most
from .findings import RELIABLE, find_alone
from .overlap import judge, rivals
from .teacher import Entity, as_entities, overlaps

LIKE_GOLD = 0.5  # what they find in the pool, next to gold: below, it's another kind
PRIOR = 20  # findings: as many are taken to be contested as often as gold's entities


class Trial(NamedTuple):
    """What the experts' word on the pool is worth.

    precision (float): How much of what they find there is right, at best.
    likeness (float): How often they find a new label there, divided by how often they
        do in gold that was held out from them, per word; less if the teacher contests
        more of it. Where they find none in that gold, only the latter counts.
    contested (float): How much of what they find there the teacher calls something
        else.
    contested_in_gold (float): How much of what gold marks.
    """

    precision: float = 0.0
    likeness: float = 1.0
    contested: float = 0.0
    contested_in_gold: float = 0.0

    @property
    def is_unlike(self) -> bool:
        """Whether the pool is another kind of text than the gold."""
        return self.likeness < LIKE_GOLD


def are_asked(experts: Sequence[Expert], trial: Trial) -> bool:
    """Find out whether experts are asked what is new in the pool, and not only whether
    the teacher is right about a label that is corrected.

    experts (Sequence[Expert]): The experts.
    trial (Trial): What their word on the pool is worth.
    RETURNS (bool): Whether they are: where most of it is right, or gold is scarce and
        the pool like it, which would teach `O` for what it holds of new labels.
    """
    if trial.precision >= RELIABLE:
        return True
    return miss_most(experts) and not trial.is_unlike


def try_out(
    experts: Sequence[Expert],
    labels: Collection[str],
    *,
    pool: Mapping[str, Sequence[Entity]],
    gold: Mapping[str, Sequence[Entity]],
    docs: Iterable[Doc],
) -> Trial:
    """Ask experts about a sample of the pool, to learn what their word is worth there.

    They err at least as often there, word for word, as in the gold that was held out
    from them. So where they find little, most of it is wrong. And in text like the gold
    they find as much as in that, right or wrong.

    In another kind of text they may err far more often, and take what gold lacks, such
    as places and persons, for the new label. The teacher knows these. So of what is
    right, it contests no more there than in gold.

    experts (Sequence[Expert]): The experts, at least one.
    labels (Collection[str]): The new labels.
    pool (Mapping[str, Sequence[Entity]]): The sample, and the teacher's entities.
    gold (Mapping[str, Sequence[Entity]]): The teacher's entities by gold text.
    docs (Iterable[Doc]): The gold.
    RETURNS (Trial): What their word is worth.
    """
    contested_in_gold = _share_contested(docs, gold, labels)
    # By word, so that gold of 100 words and a pool of 1,000 can be compared.
    found = alone = in_gold = errors = errors_alone = 0.0
    n_judged, n_contested = PRIOR, PRIOR * contested_in_gold
    for expert in experts:
        n_words = max(1, sum(len(expert.nlp.make_doc(text)) for text in pool))
        said = find_alone(expert, [*pool], labels)
        for entities, theirs in zip(said, pool.values(), strict=True):
            others = rivals(theirs, labels)
            found += len(entities) / n_words
            alone += sum(not overlaps(x, others) for x in entities) / n_words
        n_annotated = max(1, _count_annotated(expert.heldout))
        for contesting, is_right in judge(expert, labels, gold):
            in_gold += 1 / n_annotated
            errors += (not is_right) / n_annotated
            errors_alone += (not is_right and not contesting) / n_annotated
            n_judged += 1
            n_contested += bool(contesting)
    if not found:
        return Trial(likeness=0.0 if in_gold else 1.0)
    right = found - errors
    if contested_in_gold < 1:
        right = min(right, (alone - errors_alone) / (1 - contested_in_gold))
    likeness = found / in_gold if in_gold else 1.0
    if n_contested < n_judged:
        likeness *= min(1.0, alone / found / (1 - n_contested / n_judged))
    return Trial(
        precision=max(0.0, right / found),
        likeness=likeness,
        contested=1 - alone / found,
        contested_in_gold=contested_in_gold,
    )


def _share_contested(
    docs: Iterable[Doc], taught: Mapping[str, Sequence[Entity]], labels: Collection[str]
) -> float:
    """RETURNS (float): How many of the new entities the teacher calls otherwise."""
    contested = [
        overlaps(entity, rivals(taught[doc.text], labels))
        for doc in docs
        for entity in as_entities(doc.ents)
        if entity[2] in labels
    ]
    return sum(contested) / max(1, len(contested))


def _count_annotated(docs: Sequence[Doc]) -> int:
    return sum(is_annotated([token]) for doc in docs for token in doc)
