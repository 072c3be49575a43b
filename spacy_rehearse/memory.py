"""Memory: human annotation of earlier rounds, kept within a budget and rehearsed.

True rehearsal (Robins 1995; experience replay, Rolnick et al. 2019): where a teacher is
unsure of rare labels, what people annotated is exact. A memory is a file of texts with
entities by character offsets, so that it outlives tokenizers:

    {"spacy_rehearse_memory": 1, "rounds": {...}}
    {"text": ..., "entities": [[0, 5, "ORG"]], "missing": [], "exact": ["ORG"], ...}
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import (
    Any,
    Callable,
    Collection,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Sequence,
    Tuple,
)

from spacy.tokens import Doc

from .completion import complete
from .files import write_whole
from .teacher import Entity, overlaps

HEADER = "spacy_rehearse_memory"
FORMAT = 1


class Exemplar(NamedTuple):
    """A text that people annotated.

    text (str): The text.
    entities (Tuple[Entity, ...]): Its entities, with character offsets.
    missing (Tuple[Tuple[int, int], ...]): Where, in characters, nothing is known.
    exact (Tuple[str, ...]): Labels of which people marked all mentions in it. Entities
        of others are of the teacher of its round.
    round (str): In which round of training it was gold.
    """

    text: str
    entities: Tuple[Entity, ...]
    missing: Tuple[Tuple[int, int], ...]
    exact: Tuple[str, ...]
    round: str

    def without(self, labels: Collection[str]) -> "Exemplar":
        """RETURNS (Exemplar): The same, but people's word on some labels does not count
        any more.
        """
        return self._replace(exact=tuple(x for x in self.exact if x not in labels))


# Chooses, of exemplars, as many as there is room for.
PolicyT = Callable[[Sequence[Exemplar], int], List[Exemplar]]


class Memory(NamedTuple):
    """What was kept.

    exemplars (List[Exemplar]): The texts.
    rounds (Dict[str, str]): Digest of the gold of each round, by the round's key.
    """

    exemplars: List[Exemplar]
    rounds: Dict[str, str]


def read_memory(path: Path) -> Memory:
    """Read a memory.

    path (Path): The file.
    RETURNS (Memory): What is in it.
    RAISES (ValueError): If it is of another format, damaged, or of a newer version.
    """
    try:
        lines = path.read_text(encoding="utf8").split("\n")
        header, *records = [json.loads(line) for line in lines if line]
        version = header[HEADER]
    except (ValueError, KeyError, TypeError):
        raise ValueError(
            f"{path} is no memory: its first line should hold {HEADER!r}, and every "
            "other one a text, as JSON. [initialize.components.rehearsal.memory] path "
            "is what an earlier round wrote to save_to"
        ) from None
    if version != FORMAT:
        raise ValueError(
            f"{path} is a memory of version {version}, and this spacy-rehearse reads "
            f"version {FORMAT}: update it"
        )
    try:
        return Memory(
            [_from_json(record) for record in records], dict(header["rounds"])
        )
    except (KeyError, TypeError, ValueError) as e:
        raise ValueError(f"{path} is a damaged memory: {e!r}") from None


def save_memory(memory: Memory, path: Path) -> None:
    """Write a memory. The file appears whole or not at all.

    memory (Memory): What is to be kept.
    path (Path): The file. Its folder is made when needed.
    """
    header = {HEADER: FORMAT, "rounds": memory.rounds}
    records = [header, *(exemplar._asdict() for exemplar in memory.exemplars)]
    text = "".join(json.dumps(x, ensure_ascii=False) + "\n" for x in records)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode("utf8", "surrogatepass"))


def merge(
    memory: Memory,
    new: Sequence[Exemplar],
    capacity: int,
    policy: PolicyT,
    corrected: Collection[str] = (),
) -> Memory:
    """Take the gold of a round into a memory.

    Merging the same gold twice changes nothing; a round that is done again, with other
    gold, takes the place of what it left before. A text that comes back is kept once
    for each round: people have marked other labels in it.

    memory (Memory): The memory of earlier rounds. It is not changed.
    new (Sequence[Exemplar]): The gold of a round, all of the same round.
    capacity (int): How many texts there is room for.
    policy (PolicyT): Chooses them.
    corrected (Collection[str]): Labels of which people's earlier word does not count
        any more.
    RETURNS (Memory): The memory of all rounds.
    """
    rounds = {exemplar.round for exemplar in new}
    digests = {key: _digest(x for x in new if x.round == key) for key in rounds}
    is_known = all(memory.rounds.get(key) == x for key, x in digests.items())
    held = {(x.round, x.text) for x in memory.exemplars}
    is_full = len(held) == capacity or held >= {(x.round, x.text) for x in new}
    if is_known and len(memory.exemplars) <= capacity and is_full:
        return memory
    earlier = [x for x in memory.exemplars if x.round not in rounds]
    kept = [x.without(corrected) for x in earlier]
    chosen = policy([*kept, *new], capacity)
    return Memory(chosen, {**memory.rounds, **digests})


def round_key(weights: str, labels: Collection[str]) -> str:
    """Name a round, the same however often it is done again.

    weights (str): Digest of the teacher's, which no other round has.
    labels (Collection[str]): The labels that are learnt.
    RETURNS (str): The name.
    """
    return sha256("\0".join([weights, *sorted(labels)]).encode()).hexdigest()[:16]


def as_exemplars(
    docs: Iterable[Doc],
    taught: Mapping[str, Sequence[Entity]],
    *,
    authority: Collection[str],
    round: str,
) -> List[Exemplar]:
    """Make exemplars of gold, completed by the teacher.

    docs (Iterable[Doc]): The gold. It is not changed.
    taught (Mapping[str, Sequence[Entity]]): The teacher's entities by text.
    authority (Collection[str]): Labels on which only the gold counts.
    round (str): The name of the round.
    RETURNS (List[Exemplar]): The exemplars, one a text.
    """
    exemplars = {}
    for doc in docs:
        whole = doc.copy()
        complete(whole, taught[doc.text], authority)
        exemplars[doc.text] = Exemplar(
            text=doc.text,
            entities=tuple((e.start_char, e.end_char, e.label_) for e in whole.ents),
            missing=_missing(whole),
            exact=tuple(sorted(authority)),
            round=round,
        )
    return list(exemplars.values())


def without_attempts(
    memory: Memory,
    weights: str,
    gold: Iterable[str],
    labels: Collection[str],
    known: Collection[str],
) -> Memory:
    """Take out what other attempts at a round have left, which does not count any more:
    gold beside the same teacher, in the same texts, but for other labels; or gold for
    the same labels beside another teacher, if this one knows none of them: then a round
    before this one was done again.

    memory (Memory): The memory. It is not changed.
    weights (str): Digest of the teacher's.
    gold (Iterable[str]): The texts of the gold.
    labels (Collection[str]): The labels that are learnt. What is left of this very
        round stays.
    known (Collection[str]): The labels of the teacher.
    RETURNS (Memory): The rest.
    """
    texts, this = set(gold), round_key(weights, labels)
    are_new = set(labels).isdisjoint(known)

    def counts(x: Exemplar) -> bool:
        if x.round == round_key(weights, x.exact):  # beside the same teacher
            return x.round == this or x.text not in texts
        return not are_new or set(x.exact) != set(labels)

    kept = [x for x in memory.exemplars if counts(x)]
    gone = {x.round for x in memory.exemplars} - {x.round for x in kept}
    rounds = {key: digest for key, digest in memory.rounds.items() if key not in gone}
    return Memory(kept, rounds)


def earlier_than(memory: Memory, round: str) -> List[Exemplar]:
    """Tell what other rounds left: this one has its gold.

    memory (Memory): The memory.
    round (str): The name of this round.
    RETURNS (List[Exemplar]): The exemplars, one a text, with all that people marked.
    """
    order = {name: number for number, name in enumerate(memory.rounds)}
    joined: Dict[str, Exemplar] = {}
    for x in sorted(memory.exemplars, key=lambda x: order.get(x.round, -1)):
        if x.round != round:
            known = joined.get(x.text)
            joined[x.text] = x if known is None else _both(known, x)
    return list(joined.values())


def _both(older: Exemplar, newer: Exemplar) -> Exemplar:
    """RETURNS (Exemplar): What people said of a text in two rounds. Where the newer one
    sees an entity that overlaps the older one's, it counts, and the rest is unknown. A
    teacher's word does not count on labels of which people have said all.
    """
    older = older.without(newer.exact)
    said = [e for e in older.entities if e[2] in older.exact]
    marked = [e for e in newer.entities if e[2] in newer.exact]
    cut = [e for e in said if overlaps(e, marked)]
    said = [e for e in said if e not in cut]
    counts = [e for e in newer.entities if e in marked or e[2] not in older.exact]
    rest = [e for e in counts if not overlaps(e, said)]
    return newer._replace(
        entities=tuple(sorted([*said, *rest])),
        missing=(*older.missing, *newer.missing, *(e[:2] for e in cut)),
        exact=tuple(sorted({*older.exact, *newer.exact})),
    )


def _missing(doc: Doc) -> Tuple[Tuple[int, int], ...]:
    gaps: List[Tuple[int, int]] = []
    for token in doc:
        if token.ent_iob == 0:
            start, end = token.idx, token.idx + len(token)
            if gaps and token.i and doc[token.i - 1].ent_iob == 0:
                start = gaps.pop()[0]
            gaps.append((start, end))
    return tuple(gaps)


def _digest(exemplars: Iterable[Exemplar]) -> str:
    lines = sorted(json.dumps(exemplar) for exemplar in exemplars)
    return sha256("\n".join(lines).encode()).hexdigest()[:16]


def _from_json(record: Dict[str, Any]) -> Exemplar:
    return Exemplar(
        text=str(record["text"]),
        entities=tuple((int(s), int(e), str(x)) for s, e, x in record["entities"]),
        missing=tuple((int(s), int(e)) for s, e in record["missing"]),
        exact=tuple(map(str, record["exact"])),
        round=str(record["round"]),
    )
