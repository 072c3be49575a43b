"""Replay: what a memory holds, as the silver of other updates: beside the gold."""

import random
from typing import Iterator, List, Sequence, Set

from .memory import Exemplar
from .silver import SilverText
from .teacher import Entity, Teacher, overlaps, predict_entities


def as_silver(
    exemplars: Sequence[Exemplar], teacher: Teacher, labels: Sequence[str]
) -> List[SilverText]:
    """Turn exemplars into silver. People's word is exact on the labels that they
    marked; on others the teacher's counts, as it may have been corrected since.

    exemplars (Sequence[Exemplar]): The exemplars.
    teacher (Teacher): The teacher.
    labels (Sequence[str]): The labels that are learnt. On those that the teacher knows
        already, people change their mind: what they said before does not count.
    RETURNS (List[SilverText]): The texts. What people marked with labels that neither
        the teacher nor this round knows becomes missing, and what they marked with one
        that is learnt anew, unless the teacher says what it is.
    """
    known = {*teacher.labels, *labels}
    corrected = {*teacher.corrected(labels)}
    texts = [exemplar.text for exemplar in exemplars]
    taught = predict_entities(teacher.nlp, teacher.pipes, texts)
    return [
        _complete(
            exemplar, said, known, corrected, len(teacher.nlp.make_doc(exemplar.text))
        )
        for exemplar, said in zip(exemplars, taught, strict=True)
    ]


def _complete(
    exemplar: Exemplar,
    taught: Sequence[Entity],
    known: Set[str],
    corrected: Set[str],
    n_words: int,
) -> SilverText:
    withdrawn = [e for e in exemplar.entities if e[2] in corrected]
    exemplar = exemplar.without(corrected)
    marked = [e for e in exemplar.entities if e[2] in exemplar.exact]
    own = [e for e in marked if e[2] in known]
    unknown = [(start, end) for start, end, x in marked if x not in known]
    filled_in = [
        e for e in taught if e[2] not in exemplar.exact and not overlaps(e, marked)
    ]
    unknown += [e[:2] for e in withdrawn if not overlaps(e, filled_in)]
    return SilverText(
        text=exemplar.text,
        entities=tuple(sorted([*own, *filled_in])),
        n_words=n_words,
        exact=tuple(x for x in exemplar.exact if x in known),
        missing=(*exemplar.missing, *unknown),
    )


def replayed_forever(
    texts: Sequence[SilverText], rng: random.Random
) -> Iterator[SilverText]:
    """YIELDS (SilverText): Every text once before any text twice, in random order."""
    order = list(texts)
    while order:
        rng.shuffle(order)
        yield from order
