"""Silver: texts with the teacher's entities, kept in shards that fit in memory."""

from collections import Counter
from hashlib import sha256
from itertools import islice
from typing import (
    Callable,
    Collection,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Sequence,
    Tuple,
)

from spacy.tokens import DocBin

from .cache import SilverCache
from .expert import Expert
from .findings import NOTHING, Findings, find
from .stored import read_texts
from .teacher import (
    BATCH_SIZE,
    Entity,
    Teacher,
    as_entities,
    overlaps,
    run_pipes,
    zone,
)

ASKED_AT_ONCE = 50  # texts
MOST_REMEMBERED = 50_000  # texts about which it is remembered what pipelines said
SHARD_SIZE = 500  # texts: one memory zone, and what is lost at most on interruption


class SilverText(NamedTuple):
    """A text as the teacher sees it: plain values, which outlive the vocab.

    text (str): The text.
    entities (Tuple[Entity, ...]): The teacher's entities, with character offsets.
    n_words (int): Number of tokens, by the teacher's tokenizer.
    findings (Findings): What the experts say of new labels in it.
    exact (Tuple[str, ...]): Labels that people marked in it, all their mentions.
    missing (Tuple[Tuple[int, int], ...]): Where, in characters, nothing is known.
    """

    text: str
    entities: Tuple[Entity, ...]
    n_words: int
    findings: Findings = NOTHING
    exact: Tuple[str, ...] = ()
    missing: Tuple[Tuple[int, int], ...] = ()


class Shard(NamedTuple):
    """Some consecutive texts, annotated and stored under their digest.

    key (str): Digest of the exact texts.
    n_texts (int): Number of texts.
    n_words (int): Number of tokens.
    labels (Counter): Number of entities by label.
    is_new (bool): Whether it was annotated just now, and not found in the cache.
    """

    key: str
    n_texts: int
    n_words: int
    labels: Counter
    is_new: bool = False


def annotate(
    texts: Iterable[str],
    teacher: Teacher,
    cache: SilverCache,
    *,
    shard_size: int = SHARD_SIZE,
    batch_size: int = BATCH_SIZE,
    on_progress: Callable[[int], object] = lambda n_texts: None,
) -> Iterator[Shard]:
    """Label texts with the teacher, shard by shard; cached shards are not redone.

    texts (Iterable[str]): The texts. They are streamed.
    teacher (Teacher): The teacher.
    cache (SilverCache): Where shards are kept. Each is written as soon as it is
        whole, so that an interrupted run goes on where it stopped.
    shard_size (int): Number of texts in a shard.
    batch_size (int): Number of texts that go through the teacher's pipes at once.
    on_progress (Callable[[int], object]): Called with the number of texts done.
    YIELDS (Shard): The shards, in the order of the texts.
    """
    texts = iter(texts)
    while batch := list(islice(texts, shard_size)):
        key = text_digest(batch)
        silver = _read_whole(cache, key, teacher, len(batch))
        is_new = silver is None
        if silver is None:
            data, silver = annotate_batch(batch, teacher, batch_size, on_progress)
            cache.put(key, data)
        else:
            on_progress(len(batch))
        labels = Counter(label for item in silver for _, _, label in item.entities)
        n_words = sum(item.n_words for item in silver)
        yield Shard(key, len(batch), n_words, labels, is_new)


def read_shard(shard: Shard, teacher: Teacher, cache: SilverCache) -> List[SilverText]:
    """Read back the texts of a shard.

    shard (Shard): The shard.
    teacher (Teacher): The teacher that made it.
    cache (SilverCache): Where it is kept.
    RETURNS (List[SilverText]): Its texts.
    RAISES (ValueError): If it is gone or damaged.
    """
    silver = _read_whole(cache, shard.key, teacher, shard.n_texts)
    if silver is None:
        raise ValueError(
            f"shard {shard.key} has gone from the silver cache {cache.folder}, or was "
            "damaged, while it was in use: start the training again, which will "
            "annotate only what is missing"
        )
    return silver


def annotate_batch(
    texts: List[str],
    teacher: Teacher,
    batch_size: int = BATCH_SIZE,
    on_progress: Callable[[int], object] = lambda n_texts: None,
) -> Tuple[bytes, List[SilverText]]:
    """Label a batch of texts within one memory zone.

    texts (List[str]): The texts.
    teacher (Teacher): The teacher.
    batch_size (int): Number of texts that go through its pipes at once.
    on_progress (Callable[[int], object]): Called with the number of texts done.
    RETURNS (Tuple[bytes, List[SilverText]]): The labelled texts, as a DocBin to keep
        and as plain values.
    RAISES (ValueError): If its tokenizer does not keep the text.
    """
    doc_bin = DocBin(attrs=["ENT_IOB", "ENT_TYPE"])
    silver: List[SilverText] = []
    with zone(teacher.nlp):
        docs = run_pipes(teacher.nlp, teacher.pipes, texts, batch_size)
        for text, doc in zip(texts, docs, strict=True):
            if doc.text != text:
                raise ValueError(
                    "the teacher's tokenizer changes the text (spaCy expects that it "
                    f"keeps every character): {len(text)} characters became "
                    f"{len(doc.text)}. Entities can't be carried over"
                )
            doc_bin.add(doc)
            silver.append(_as_silver(text, as_entities(doc.ents), len(doc), teacher))
            on_progress(1)
        return doc_bin.to_bytes(), silver


def _as_silver(
    text: str, entities: Iterable[Entity], n_words: int, teacher: Teacher
) -> SilverText:
    taught = tuple(entity for entity in entities if entity[2] in teacher.labels)
    return SilverText(text, taught, n_words)


def ask_experts(
    silver: Iterator[SilverText],
    experts: Sequence[Expert],
    labels: Collection[str],
    *,
    alone: bool = True,
) -> Iterator[SilverText]:
    """Add what experts find. Where one of them confirms what the teacher says of a
    label that is corrected, it is certain.

    silver (Iterator[SilverText]): The silver. It may be endless: what was asked before
        is remembered.
    experts (Sequence[Expert]): The experts.
    labels (Collection[str]): The new labels.
    alone (bool): Whether what they find counts where the teacher says something else.
    YIELDS (SilverText): The same texts in the same order.
    """
    if not alone:  # who leans confirms nothing
        experts = [expert._replace(lean=0.0) for expert in experts]
    known: Dict[str, Findings] = {}
    while batch := list(islice(silver, ASKED_AT_ONCE)):
        if len(known) > MOST_REMEMBERED:
            known.clear()
        keys = [text_digest([item.text]) for item in batch]
        new = {k: x for k, x in zip(keys, batch, strict=True) if k not in known}
        texts = [item.text for item in new.values()]
        found = find(experts, texts, labels)
        for (key, item), findings in zip(new.items(), found, strict=True):
            known[key] = _confirm(findings, item.entities, alone=alone)
        for key, item in zip(keys, batch, strict=True):
            yield item._replace(findings=known[key])


def _confirm(said: Findings, taught: Sequence[Entity], *, alone: bool) -> Findings:
    """RETURNS (Findings): What experts say, with what they confirm of the teacher's as
    certain, and, unless they count alone, nothing else. Where all of them find
    other edges, one of them confirms nothing, and so does one that leans.
    """
    confirmed = {*said.certain, *said.doubtful} & {*taught}
    if not alone:
        return Findings(sorted(confirmed), ())
    confirmed = {x for x in confirmed if not overlaps(x, said.certain)}
    certain = {*said.certain} | confirmed
    doubtful = {*said.doubtful} - certain
    return said._replace(certain=sorted(certain), doubtful=sorted(doubtful))


def text_digest(texts: Iterable[str]) -> str:
    """RETURNS (str): A digest of exactly these texts in this order."""
    digest = sha256()
    for text in texts:
        data = text.encode("utf8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:24]


def _read_whole(cache: SilverCache, key: str, teacher: Teacher, n_texts: int):
    data = cache.get(key)
    if data is None:
        return None
    silver = [_as_silver(*stored, teacher) for stored in read_texts(data)]
    return silver if len(silver) == n_texts else None
