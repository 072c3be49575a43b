import random
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_rehearse.interleave import Interleaver, shuffled_forever
from spacy_rehearse.silver import Shard, SilverText


def endless(lengths):
    i = 0
    while True:
        yield SilverText(f"text {i}", (), lengths[i % len(lengths)])
        i += 1


@given(
    batches=st.lists(st.integers(0, 300), min_size=1, max_size=40),
    lengths=st.lists(st.integers(1, 120), min_size=1, max_size=10),
    ratio=st.floats(0, 5),
)
def test_interleave_keeps_to_the_ratio_within_one_text(batches, lengths, ratio):
    interleaver = Interleaver(endless(lengths), ratio)
    gold = silver = 0
    for n_words in batches:
        drawn = interleaver.draw(n_words)
        gold += n_words
        silver += sum(item.n_words for item in drawn)
        assert abs(silver - ratio * gold) <= max(lengths) / 2 + 1e-6


def test_interleave_is_exact_in_expectation():
    rng = random.Random(0)
    lengths = [rng.randint(1, 90) for _ in range(500)]
    interleaver = Interleaver(endless(lengths), 3.0)
    drawn = sum(i.n_words for _ in range(2000) for i in interleaver.draw(100))
    assert drawn / (2000 * 100) == pytest.approx(3.0, rel=1e-3)


def test_interleave_of_empty_texts_ends():
    assert len(Interleaver(endless([0]), 1.0).draw(10)) == 10


def test_interleave_ratio_zero_draws_nothing():
    assert Interleaver(iter(()), 0.0).draw(1000) == []


def make_shards(n_shards, n_texts):
    shards = [Shard(str(i), n_texts, n_texts, Counter()) for i in range(n_shards)]
    texts = {
        s.key: [SilverText(f"{s.key}/{i}", (), 1) for i in range(n_texts)]
        for s in shards
    }
    return [(s, range(0, n_texts, 2)) for s in shards], lambda shard: texts[shard.key]


def test_interleave_yields_each_permitted_text_once_before_any_twice():
    training, read = make_shards(5, 6)
    allowed = {f"{s.key}/{i}" for s, kept in training for i in kept}
    stream = shuffled_forever(training, read, random.Random(0), window=2)
    for _ in range(3):
        epoch = [item.text for item in islice(stream, len(allowed))]
        assert set(epoch) == allowed and len(epoch) == len(allowed)


def test_interleave_order_depends_on_the_seed_alone():
    def order(seed):
        training, read = make_shards(4, 8)
        return list(islice(shuffled_forever(training, read, random.Random(seed)), 40))

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_interleave_holds_only_a_window_of_shards():
    training, read = make_shards(10, 4)
    reads = []
    stream = shuffled_forever(
        training, lambda s: reads.append(s.key) or read(s), random.Random(0), window=3
    )
    next(stream)
    assert len(reads) == 3
