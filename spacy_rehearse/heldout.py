"""Held-out silver: pool text that is never trained on, to measure retention by."""

import heapq
from array import array
from hashlib import sha256
from itertools import accumulate
from typing import Callable, Iterable, List, NamedTuple, Sequence, Tuple

from .near_duplicates import NearDuplicateIndex, set_phrases
from .silver import Shard, SilverText

# Retention is then sure to about a point, and quick to measure at each checkpoint.
MOST_TEXTS, MOST_WORDS = 1000, 100_000

ENOUGH = 0.5  # of what is to be held out: with less left of it, more is drawn
MOST_DRAWN = 64  # times what is to be held out

ReadT = Callable[[Shard], List[SilverText]]
PlacedT = Tuple[Tuple[int, int], SilverText]  # number of its shard, and place in that


class Split(NamedTuple):
    """Silver, divided.

    heldout (List[SilverText]): Texts to measure by.
    training (List[Tuple[Shard, array]]): The shards, each with the positions of the
        texts in it that may be trained on.
    n_left_out (int): Texts in neither part: near-duplicates of the gold or of what
        is held out.
    """

    heldout: List[SilverText]
    training: List[Tuple[Shard, array]]
    n_left_out: int

    @property
    def n_training(self) -> int:
        return sum(len(kept) for _, kept in self.training)


def split_silver(
    shards: Sequence[Shard],
    read: ReadT,
    *,
    share: float,
    seed: int,
    gold_texts: Iterable[str] = (),
) -> Split:
    """Set a random share of the silver aside, with nothing like it left in the rest.

    shards (Sequence[Shard]): All the silver. Read a few times, one shard at a time.
    read (Callable[[Shard], List[SilverText]]): Reads a shard.
    share (float): The share to hold out, between 0 and 1; at most 1,000 texts, and
        at most 100,000 words unless a single text has more. One of them has an entity,
        if one is found that is not like the gold, among 64 times as many.
    seed (int): The same seed and texts give the same split.
    gold_texts (Iterable[str]): Texts of the gold. Pool texts nearly the same go into
        neither part: there, gold knows better than the teacher.
    RETURNS (Split): The parts.
    RAISES (ValueError): If there is not at least one text for each part.
    """
    n_texts = sum(shard.n_texts for shard in shards)
    size = min(MOST_TEXTS, max(1, round(share * n_texts)))
    gold_texts, n_drawn = list(gold_texts), size
    while True:
        drawn = _draw(shards, read, seed, n_drawn)
        phrases = set_phrases(gold_texts) | set_phrases(x.text for _, x in drawn)
        gold = NearDuplicateIndex(gold_texts, phrases)
        usable = [(place, x) for place, x in drawn if x.text not in gold]
        is_enough = len(usable) >= ENOUGH * size and any(x.entities for _, x in usable)
        if is_enough or n_drawn >= min(n_texts, MOST_DRAWN * size):
            break
        n_drawn *= 2
    held = _choose(usable, size)
    chosen, heldout = {place for place, _ in held}, [x for _, x in held]
    like_heldout = NearDuplicateIndex((item.text for item in heldout), phrases)
    training = []
    for number, shard in enumerate(shards):
        kept = array(
            "L",
            (
                i
                for i, item in enumerate(read(shard))
                if (number, i) not in chosen
                and item.text not in like_heldout
                and item.text not in gold
            ),
        )
        training.append((shard, kept))
    left_out = n_texts - len(heldout) - sum(len(kept) for _, kept in training)
    split = Split(heldout, training, left_out)
    if not heldout or not split.n_training:
        raise ValueError(
            f"the pool is too small: of {n_texts} texts, {len(heldout)} can be held "
            f"out and {split.n_training} trained on: {left_out} near-duplicates (of "
            "the gold or of what is held out) are left out. Give it more raw text"
        )
    return split


def _draw(
    shards: Sequence[Shard], read: ReadT, seed: int, n_drawn: int
) -> List[PlacedT]:
    """RETURNS (List[Tuple[Tuple[int, int], SilverText]]): Some silver, in random order,
    and where it stands. If more is drawn, it begins with the same.
    """
    ranked = heapq.nsmallest(n_drawn, _ranks(shards, read, seed))
    ranks = {place: rank for rank, (_, place) in enumerate(ranked)}
    drawn = [(place, x) for place, x in _places(shards, read) if place in ranks]
    return sorted(drawn, key=lambda x: ranks[x[0]])


def _choose(usable: Sequence[PlacedT], size: int) -> List[PlacedT]:
    """RETURNS (List[Tuple[Tuple[int, int], SilverText]]): The first ones, as many as
    may be held out, in the order of the pool. One has an entity, if any has.
    """
    totals = accumulate(x.n_words for _, x in usable)
    n_fit = max(1, sum(total <= MOST_WORDS for total in totals))
    held = list(usable[: min(size, n_fit)])
    if not any(x.entities for _, x in held):
        marked = [item for item in usable if item[1].entities]
        held = [*held[:-1], *(marked[:1] or held[-1:])]
    return sorted(held, key=lambda x: x[0])


def _places(shards: Sequence[Shard], read: ReadT):
    for number, shard in enumerate(shards):
        for i, item in enumerate(read(shard)):
            yield (number, i), item


def _ranks(shards: Sequence[Shard], read: ReadT, seed: int):
    # A text's rank comes from what it says, not from where it stands in the pool.
    for place, item in _places(shards, read):
        text = item.text.encode("utf8", "surrogatepass")
        yield sha256(f"{seed}:".encode() + text).digest(), place
