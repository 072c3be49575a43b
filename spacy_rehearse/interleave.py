"""Interleaving: how much silver stands beside each batch of gold, and which."""

import random
from typing import Callable, Iterator, List, Sequence, Tuple

from .silver import Shard, SilverText

WINDOW = 16  # shards shuffled together: memory stays flat, however large the pool


def shuffled_forever(
    training: Sequence[Tuple[Shard, Sequence[int]]],
    read: Callable[[Shard], List[SilverText]],
    rng: random.Random,
    window: int = WINDOW,
) -> Iterator[SilverText]:
    """Yield the training silver in random order, again and again.

    training (Sequence[Tuple[Shard, Sequence[int]]]): Shards, with the positions of
        the texts that may be used. Together they hold at least one.
    read (Callable[[Shard], List[SilverText]]): Reads a shard.
    rng (random.Random): Where the order comes from.
    window (int): How many shards are held in memory and shuffled together.
    YIELDS (SilverText): Every text once before any text twice.
    """
    order = [(shard, kept) for shard, kept in training if len(kept)]
    while order:
        rng.shuffle(order)
        for first in range(0, len(order), window):
            texts = [
                shard_texts[i]
                for shard, kept in order[first : first + window]
                for shard_texts in [read(shard)]
                for i in kept
            ]
            rng.shuffle(texts)
            yield from texts


class Interleaver:
    """Draws silver so that it keeps to a fixed number of words per gold word.

    What one draw gives too much or too little is made up for by the next: over the
    run, silver words divided by gold words is `ratio`, to within half a text.

    silver (Iterator[SilverText]): Endless silver.
    ratio (float): Silver words for each gold word, 0 for no silver.
    """

    def __init__(self, silver: Iterator[SilverText], ratio: float) -> None:
        self.silver = silver
        self.ratio = ratio
        self._owed = 0.0  # words
        self._next: List[SilverText] = []

    def draw(self, gold_words: int) -> List[SilverText]:
        """Draw the silver for a batch of gold.

        gold_words (int): Number of tokens of the gold in the batch.
        RETURNS (List[SilverText]): The silver. Empty where the last draw gave ahead.
        """
        self._owed += self.ratio * gold_words
        drawn: List[SilverText] = []
        while self._owed > 0:
            if not self._next:
                self._next.append(next(self.silver))
            if self._owed < self._next[0].n_words / 2:
                break
            drawn.append(self._next.pop())
            self._owed -= max(1, drawn[-1].n_words)  # or empty texts would not end
        return drawn
