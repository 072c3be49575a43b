"""Trial: what the experts' word on the pool is worth, before it is taken for true."""

from typing import Collection, Mapping, NamedTuple, Optional, Sequence

from spacy.tokens import Doc

from .completion import is_annotated
from .expert import Expert, miss_most
from .findings import RELIABLE, find_alone
from .overlap import judge
from .teacher import Entity, overlaps

LIKE_GOLD = 0.5  # what they find in the pool, next to gold: below, it's another kind


class Trial(NamedTuple):
    """What the experts' word on the pool is worth.

    precision (float): How much of what they find there is right, at best.
    likeness (Optional[float]): How often they find a new label there, divided by how
        often they do in gold that was held out from them, per word. None if they find
        none in that: then nobody knows.
    contested (float): How much of what they find there the teacher calls something
        else.
    contested_in_gold (float): How much of what they find in that gold, and rightly so.
    """

    precision: float = 0.0
    likeness: Optional[float] = None
    contested: float = 0.0
    contested_in_gold: float = 0.0

    @property
    def is_unlike(self) -> bool:
        """Whether the pool is another kind of text than the gold."""
        return self.likeness is not None and self.likeness < LIKE_GOLD


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
) -> Trial:
    """Ask experts about a sample of the pool, to learn what their word is worth there.

    They err at least as often there, word for word, as in the gold that was held out
    from them. So where they find little, most of it is wrong. In another kind of text
    they may err far more often: then they call new what the teacher knows, such as
    places, and gold does not. So what is right is no more often contested there than
    in gold. And in text like the gold they find as much as in that, right or wrong.

    experts (Sequence[Expert]): The experts, at least one.
    labels (Collection[str]): The new labels.
    pool (Mapping[str, Sequence[Entity]]): The sample, and the teacher's entities.
    gold (Mapping[str, Sequence[Entity]]): The teacher's entities by gold text.
    RETURNS (Trial): What their word is worth.
    """
    # By word, so that gold of 100 words and a pool of 1,000 can be compared.
    found = alone = in_gold = errors = errors_alone = 0.0
    n_right = n_contested = 0
    for expert in experts:
        n_words = max(1, sum(len(expert.nlp.make_doc(text)) for text in pool))
        for entities, theirs in zip(
            find_alone(expert, [*pool], labels), pool.values(), strict=True
        ):
            rivals = [x for x in theirs if x[2] not in labels]
            found += len(entities) / n_words
            alone += sum(not overlaps(x, rivals) for x in entities) / n_words
        n_annotated = max(1, _count_annotated(expert.heldout))
        for contesting, is_right in judge(expert, labels, gold):
            in_gold += 1 / n_annotated
            errors += (not is_right) / n_annotated
            errors_alone += (not is_right and not contesting) / n_annotated
            n_right += is_right
            n_contested += is_right and bool(contesting)
    if not found:
        return Trial(likeness=0.0 if in_gold else None)
    # With one contested and one not, as for verdicts (overlap.py).
    is_contested = (n_contested + 1) / (n_right + 2)
    right = min(found - errors, (alone - errors_alone) / (1 - is_contested))
    return Trial(
        precision=max(0.0, right / found),
        likeness=found / in_gold if in_gold else None,
        contested=1 - alone / found,
        contested_in_gold=n_contested / max(1, n_right),
    )


def _count_annotated(docs: Sequence[Doc]) -> int:
    return sum(is_annotated([token]) for doc in docs for token in doc)
