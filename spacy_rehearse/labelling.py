"""Labelling: the teacher says what it sees in the gold and in the pool."""

from typing import Any, Dict, Iterable, List, Sequence, Tuple

from spacy.language import Language

from . import checks
from .cache import SilverCache
from .completion import place_entities
from .progress import progress
from .silver import Shard, SilverText, annotate, read_shard
from .teacher import Entity, Teacher, zone

ENOUGH = 100  # entities, to see whether the student's tokenizer cuts them


def count_texts(texts: Iterable[str]) -> int:
    """Count the pool, reading all of it, so that bad lines show before the work. Empty
    texts, which have no token, do not count.

    texts (Iterable[str]): The texts.
    RETURNS (int): Their number.
    RAISES (ValueError): If there is none, or what is read is no text.
    """
    n_texts = 0
    for text in texts:
        if not isinstance(text, str):
            raise ValueError(
                "the reader in [initialize.components.rehearsal.pool] gives "
                f"{type(text).__name__}, not str: spacy-rehearse.RawText.v1 reads the "
                "text of files, .spacy files among them"
            )
        n_texts += bool(text)
    if not n_texts:
        raise ValueError(
            "the pool is empty: the reader in [initialize.components.rehearsal.pool] "
            "gives no text"
        )
    return n_texts


def made_by(teacher: Teacher) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): What silver depends on beside the texts."""
    return {
        "teacher": teacher.name,
        "teacher_version": teacher.nlp.meta["version"],
        "fingerprint": teacher.fingerprint,
        "component": teacher.component,
        "pipes": list(teacher.pipes),
        "format": 1,
    }


def label_gold(
    texts: Sequence[str], teacher: Teacher, store: SilverCache
) -> Dict[str, Tuple[Entity, ...]]:
    """Label the gold, or look its labels up.

    texts (Sequence[str]): The gold's texts.
    teacher (Teacher): The teacher.
    store (SilverCache): Where silver is kept.
    RETURNS (Dict[str, Tuple[Entity, ...]]): The teacher's entities by text.
    """
    shards = list(annotate(texts, teacher, store))
    items = (item for shard in shards for item in read_shard(shard, teacher, store))
    return {item.text: item.entities for item in items}


def label_pool(
    texts: Iterable[str],
    n_texts: int,
    nlp: Language,
    teacher: Teacher,
    store: SilverCache,
) -> List[Shard]:
    """Label the pool with a progress bar, but for what is in the cache already. Empty
    texts are left out.

    texts (Iterable[str]): The pool.
    n_texts (int): Their number.
    nlp (Language): The student.
    teacher (Teacher): The teacher.
    store (SilverCache): Where silver is kept.
    RETURNS (List[Shard]): The shards of the silver.
    RAISES (ValueError): If the student's tokenizer splits the texts differently, or
        less texts are read than were counted.
    """
    shards: List[Shard] = []
    n_misaligned = n_entities = 0
    with progress(total=n_texts, unit=" texts", desc="Pool") as bar:
        whole = filter(None, texts)
        for shard in annotate(whole, teacher, store, on_progress=bar.update):
            if n_entities < ENOUGH:  # and soon enough to save the rest of the work
                silver = read_shard(shard, teacher, store)
                n_misaligned += count_misaligned(nlp, silver)
                n_entities += shard.labels.total()
                checks.check_misaligned(n_misaligned, n_entities)
            shards.append(shard)
    if (n_read := sum(shard.n_texts for shard in shards)) < n_texts:
        raise ValueError(
            f"the pool gave {n_texts} texts, and {n_read} when it was read again: the "
            "reader in [initialize.components.rehearsal.pool] must give the same texts "
            "each time it is called, and not an iterator that was used up"
        )
    return shards


def count_misaligned(nlp: Language, silver: Sequence[SilverText]) -> int:
    """Count the teacher's entities that do not fall on the student's tokens.

    nlp (Language): The student.
    silver (Sequence[SilverText]): The texts.
    RETURNS (int): Their number.
    """
    with zone(nlp):
        return sum(
            len(place_entities(nlp.make_doc(item.text), item.entities)[1])
            for item in silver
        )
