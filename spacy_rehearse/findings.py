"""What experts find of the new labels in text where the teacher knows none.

Away from the gold's kind of text an expert sees new labels everywhere. So only what all
of them agree on is taken for true, and what one of them finds, or leans to, is unknown.
"""

from typing import (
    Any,
    Collection,
    Dict,
    List,
    NamedTuple,
    Sequence,
    Tuple,
)

from .distillation import can_distil, label_of
from .expert import Expert
from .margin import get_bias, raise_scores, set_bias
from .teacher import Entity, predict_entities, zone

RELIABLE = 0.5  # precision on held-out gold: below it, nothing they say is certain


class Findings(NamedTuple):
    """What experts say of a text.

    certain (Sequence[Entity]): What all of them call by a new label.
    doubtful (Sequence[Entity]): What only some do, or all if they are unreliable.
    leant (Sequence[Entity]): What else they would if they leaned towards new labels.
    """

    certain: Sequence[Entity]
    doubtful: Sequence[Entity]
    leant: Sequence[Entity] = ()


NOTHING = Findings((), ())


def find(
    experts: Sequence[Expert], texts: Sequence[str], labels: Collection[str]
) -> List[Findings]:
    """Ask the experts for the new labels in texts.

    experts (Sequence[Expert]): The experts.
    texts (Sequence[str]): The texts.
    labels (Collection[str]): The new labels.
    RETURNS (List[Findings]): What they agree on in each text, and what not.
    """
    answers, leaning = [], []
    for expert in experts:
        upright, leant = find_twice(expert, texts, labels)
        answers.append(list(map(set, upright)))
        leaning.append(list(map(set, leant)))
    reliable = all(x.score.precision >= RELIABLE for x in experts)
    findings = []
    for sets, more in zip(
        zip(*answers, strict=True), zip(*leaning, strict=True), strict=True
    ):
        agreed = set.intersection(*sets) if reliable else set()
        doubtful = set.union(*sets) - agreed
        beyond = set.union(*more) - agreed - doubtful
        findings.append(Findings(sorted(agreed), sorted(doubtful), sorted(beyond)))
    return findings


def find_twice(
    expert: Expert, texts: Sequence[str], labels: Collection[str]
) -> Tuple[List[List[Entity]], List[List[Entity]]]:
    """Ask an expert as it is, and leaning towards the new labels. Where gold is scarce
    it misses most of them, and says `O` for it.

    expert (Expert): The expert.
    texts (Sequence[str]): The texts.
    labels (Collection[str]): The new labels.
    RETURNS (Tuple[List[List[Entity]], List[List[Entity]]]): What it calls by a new
        label, and what it would. The latter is empty if it does not lean.
    """
    pipe: Any = expert.nlp.get_pipe(expert.pipes[-1]) if expert.lean else None
    if not can_distil(pipe):
        return find_alone(expert, texts, labels), [[] for _ in texts]
    bias, layer = get_bias(pipe), pipe.model.get_ref("tok2vec")
    forward, vectors = layer._func, []

    def recorded(*args, **kwargs):
        vectors.append(forward(*args, **kwargs))
        return vectors[-1]

    # Most of the time goes into token vectors. They are the same, in the same batches.
    with zone(expert.nlp):
        try:
            layer._func = recorded
            upright = find_alone(expert, texts, labels)
            layer._func = lambda *args, **kwargs: vectors.pop(0)
            raise_scores(pipe, lambda action: label_of(action) in labels, expert.lean)
            return upright, find_alone(expert, texts, labels)
        finally:
            layer._func = forward
            set_bias(pipe, bias)


def find_alone(
    expert: Expert, texts: Sequence[str], labels: Collection[str]
) -> List[List[Entity]]:
    """RETURNS (List[List[Entity]]): What one expert calls by a new label in texts."""
    return [
        [e for e in found if e[2] in labels]
        for found in predict_entities(expert.nlp, expert.pipes, texts)
    ]


def count(
    findings: Sequence[Findings], entities: Sequence[Sequence[Entity]]
) -> Dict[str, int]:
    """Count what the experts found in texts.

    findings (Sequence[Findings]): What they say of each text.
    entities (Sequence[Sequence[Entity]]): The teacher's entities in each.
    RETURNS (Dict[str, int]): How much they are certain of, how much of it the teacher
        calls something else, and how much they doubt.
    """
    return {
        "certain": sum(len(found.certain) for found in findings),
        "contested": sum(
            any(own[0] < x[1] and x[0] < own[1] and x != own for x in said)
            for found, said in zip(findings, entities, strict=True)
            for own in found.certain
        ),
        "doubtful": sum(len(x.doubtful) + len(x.leant) for x in findings),
    }
