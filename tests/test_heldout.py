from collections import Counter
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_rehearse.evaluate import MOST_SCORED, every_nth
from spacy_rehearse.heldout import split_silver
from spacy_rehearse.near_duplicates import NearDuplicateIndex
from spacy_rehearse.silver import Shard, SilverText

from .util import make_texts

TEXTS = [text for text, _ in make_texts(200, (), seed=5)]


def split(texts=TEXTS, size=25, share=0.1, seed=0, gold=(), n_words=5, marked=()):
    batches = [texts[i : i + size] for i in range(0, len(texts), size)]
    shards = [Shard(str(i), len(b), 0, Counter()) for i, b in enumerate(batches)]

    def read(shard):
        said = {text: ((0, 1, "ORG"),) for text in marked}
        return [
            SilverText(x, said.get(x, ()), n_words) for x in batches[int(shard.key)]
        ]

    made = split_silver(shards, read, share=share, seed=seed, gold_texts=gold)
    training = [read(shard)[i].text for shard, kept in made.training for i in kept]
    return [item.text for item in made.heldout], training, made.n_left_out


def test_heldout_has_its_share_and_is_never_trained_on():
    heldout, training, n_left_out = split()
    assert len(heldout) == 20
    assert not set(heldout) & set(training)
    assert len(heldout) + len(training) + n_left_out == len(TEXTS)


def test_heldout_at_most_a_thousand():
    letters = "abcdefghijklmnop"
    names = ["".join(word) for word in product(letters, repeat=3)][:3000]
    distinct = [f"{x}x {x}y {x}z {x}" for x in names]
    heldout, _, _ = split(distinct, share=0.9)
    assert len(heldout) == 1000


def test_heldout_at_most_a_hundred_thousand_words_but_at_least_a_text():
    few = split(share=0.5, n_words=9_000)[0]
    assert len(few) == 11 and set(few) < set(split(share=0.5)[0])
    assert len(split(share=0.5, n_words=10_000)[0]) == 10  # a hundred thousand fit
    assert len(split(share=0.5, n_words=200_000)[0]) == 1


def test_heldout_has_no_near_duplicate_in_training():
    copies = [text.replace(" .", " indeed .") for text in TEXTS]
    heldout, training, n_left_out = split(TEXTS + copies, share=0.05)
    index = NearDuplicateIndex(heldout)
    assert training and not [text for text in training if text in index]
    assert n_left_out > 0


def test_heldout_a_footer_makes_no_copies():
    footer = " This mail is for you alone: if it is not, tell us, and then delete it."
    signed = [text + footer for text in TEXTS]
    plain, with_footer = split(TEXTS, gold=TEXTS[:3]), split(signed, gold=signed[:3])
    assert with_footer[2] <= plain[2] + 2
    some = [text + footer for text in TEXTS[::2]] + TEXTS[1::2]
    assert split(some, gold=[some[0]])[2] <= plain[2] + 2


def test_heldout_gold_texts_are_in_neither_part():
    heldout, training, _ = split(gold=[text.upper() for text in TEXTS[:50]])
    assert not set(TEXTS[:50]) & set(heldout + training)


@pytest.mark.parametrize("seed", range(5))
def test_heldout_is_drawn_from_what_is_not_like_the_gold(seed):
    heldout, training, _ = split(seed=seed, gold=TEXTS[:190], share=0.01)
    assert len(heldout) >= 1 and len(training) >= 1
    assert not set(TEXTS[:190]) & set(heldout + training)


@pytest.mark.parametrize("seed", range(5))
def test_heldout_has_an_entity_if_one_is_found(seed):
    heldout, training, _ = split(seed=seed, marked=TEXTS[7:8])
    assert len(heldout) == 20 and TEXTS[7] in heldout and TEXTS[7] not in training
    assert len(split(seed=seed, marked=TEXTS[7:8], share=0.001)[0]) == 1
    assert TEXTS[7] not in split(seed=seed, marked=TEXTS[7:8], gold=TEXTS[7:8])[0]


def test_heldout_depends_on_seed_and_texts_alone():
    assert split(size=25)[0] == split(size=40)[0]
    assert split(seed=1)[0] != split(seed=2)[0]
    # A text stays held out when the pool grows, as far as the share allows.
    grown = [*TEXTS, *(text for text, _ in make_texts(20, (), seed=99))]
    assert len(set(split()[0]) & set(split(grown)[0])) >= 15


@pytest.mark.parametrize("texts", [["only one text here"], ["a b c d e f"] * 5])
def test_heldout_pool_too_small(texts):
    with pytest.raises(ValueError, match="the pool is too small"):
        split(texts)


@given(n_texts=st.integers(1, 1000), n_words=st.integers(1, 500))
def test_heldout_checkpoints_are_scored_on_some_of_it_from_all_over(n_texts, n_words):
    heldout = [SilverText(str(i), (), n_words) for i in range(n_texts)]
    sample = every_nth(heldout)
    n_scored = n_words * len(sample)
    if n_words * n_texts <= MOST_SCORED:
        assert sample == heldout
    else:
        assert MOST_SCORED / 2 - n_words <= n_scored <= MOST_SCORED + n_words
    steps = {int(y.text) - int(x.text) for x, y in pairwise(sample)}
    assert len(steps) <= 1 and sample[0] is heldout[0]
