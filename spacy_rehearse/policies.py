"""Policies: which texts a memory keeps when there is no room for all.

None depends on the order of the texts: what looks random is a digest of the text
(bottom-k sampling: Cohen and Kaplan 2007, "Summarizing data using bottom-k sketches").
So what a reservoir holds is the same whatever the order of the rounds.
"""

import heapq
from collections import Counter
from hashlib import sha256
from typing import Dict, List, Sequence, Tuple

from .memory import Exemplar, PolicyT

NO_ENTITY = ""  # the class of texts without entities


def reservoir(
    exemplars: Sequence[Exemplar], capacity: int, seed: int = 0
) -> List[Exemplar]:
    """Keep a uniform random sample (reservoir sampling: Vitter 1985).

    exemplars (Sequence[Exemplar]): The exemplars.
    capacity (int): How many to keep.
    seed (int): Another seed, another sample.
    RETURNS (List[Exemplar]): The sample. A part of it is the sample of a part.
    """
    return sorted(exemplars, key=lambda x: _lot(x, seed))[:capacity]


def balanced(
    exemplars: Sequence[Exemplar], capacity: int, seed: int = 0
) -> List[Exemplar]:
    """Keep as many texts of each label as there is room for (Chaudhry et al. 2019, "On
    tiny episodic memories"; ring buffer per class).

    exemplars (Sequence[Exemplar]): The exemplars.
    capacity (int): How many to keep.
    seed (int): Another seed, another choice.
    RETURNS (List[Exemplar]): Labels take turns, the one with the fewest entities kept
        so far first; texts without entities fill what is left.
    """
    queues: Dict[str, List[Exemplar]] = {}
    for exemplar in sorted(exemplars, key=lambda x: _lot(x, seed), reverse=True):
        for label in {label for _, _, label in exemplar.entities} or {NO_ENTITY}:
            queues.setdefault(label, []).append(exemplar)
    rest = queues.pop(NO_ENTITY, [])
    chosen: Dict[Exemplar, None] = {}  # a set in order
    kept = Counter(dict.fromkeys(queues, 0))
    while queues and len(chosen) < capacity:
        label = min(queues, key=lambda x: (kept[x], x))
        exemplar = queues[label].pop()
        if not queues[label]:
            del queues[label]
        if exemplar not in chosen:
            chosen[exemplar] = None
            kept.update(label for _, _, label in exemplar.entities)
    room = max(capacity - len(chosen), 0)
    return [*chosen, *rest[::-1][:room]]


def rare(exemplars: Sequence[Exemplar], capacity: int, seed: int = 0) -> List[Exemplar]:
    """Prefer rare labels and surface forms not kept yet.

    An entity is worth 1 / (how often its label occurs), divided by one more than how
    many of its label and surface form are kept already. Texts are taken greedily by the
    sum of their entities' worth (lazy greedy: Minoux 1978; such a sum has diminishing
    returns, so greedy is near the best choice: Nemhauser et al. 1978).

    exemplars (Sequence[Exemplar]): The exemplars.
    capacity (int): How many to keep.
    seed (int): Decides between texts that are worth the same.
    RETURNS (List[Exemplar]): The choice, the most valuable first.
    """
    n_label = Counter(x for exemplar in exemplars for _, _, x in exemplar.entities)
    seen: Counter = Counter()  # (label, form) in what is chosen

    def worth(exemplar: Exemplar) -> float:
        forms = Counter(_forms(exemplar))
        return sum(
            n / n_label[label] / (1 + seen[label, form])
            for (label, form), n in forms.items()
        )

    heap = [(-worth(x), _lot(x, seed), i) for i, x in enumerate(exemplars)]
    heapq.heapify(heap)
    chosen: List[Exemplar] = []
    while heap and len(chosen) < capacity:
        _, lot, i = heapq.heappop(heap)
        now = -worth(exemplars[i])  # it can only have become worth less
        if heap and (now, lot, i) > heap[0]:
            heapq.heappush(heap, (now, lot, i))
            continue
        chosen.append(exemplars[i])
        seen.update(_forms(exemplars[i]))
    return chosen


def _forms(exemplar: Exemplar) -> List[Tuple[str, str]]:
    return [
        (label, exemplar.text[start:end].lower())
        for start, end, label in exemplar.entities
    ]


def _lot(exemplar: Exemplar, seed: int) -> str:
    data = f"{seed} {exemplar.text}".encode("utf8", "surrogatepass")
    return sha256(data).hexdigest() + exemplar.round


def create_reservoir_v1(*, seed: int = 0) -> PolicyT:
    """Create a policy that keeps a uniform random sample.

    seed (int): Another seed, another sample.
    """
    return lambda exemplars, capacity: reservoir(exemplars, capacity, seed)


def create_balanced_v1(*, seed: int = 0) -> PolicyT:
    """Create a policy that keeps as many texts of each label as there is room for.

    seed (int): Another seed, another choice.
    """
    return lambda exemplars, capacity: balanced(exemplars, capacity, seed)


def create_rare_v1(*, seed: int = 0) -> PolicyT:
    """Create a policy that prefers rare labels and surface forms.

    seed (int): Decides between texts that are worth the same.
    """
    return lambda exemplars, capacity: rare(exemplars, capacity, seed)
