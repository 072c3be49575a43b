import math

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.scorer import get_ner_prf
from spacy.tokens import Doc, Span
from spacy.training import Example

from spacy_rehearse import scorer

NLP = spacy.blank("xx")
WORDS = [f"w{i}" for i in range(8)]
LABELS = ("A", "B")


def doc_with(spans, missing=()):
    doc = Doc(NLP.vocab, words=WORDS)
    covered = {i for s, e, _ in spans for i in range(s, e)}
    doc.set_ents(
        [Span(doc, *span) for span in spans],
        missing=[doc[i : i + 1] for i in missing if i not in covered],
        default="outside",
    )
    return doc


def test_scorer_leaves_out_what_annotation_of_the_same_text_marks():
    doc = Doc(NLP.vocab, words=["\n", "Ana", "met", "Bob"], spaces=[False, *[True] * 3])
    doc.set_ents([Span(doc, 1, 2, "NEW"), Span(doc, 3, 4, "OLD")])
    texts = ["Ana met Bob", "Ana"]
    found = [[(0, 3, "OLD"), (4, 7, "NEW"), (8, 11, "OLD")], [(0, 3, "OLD")]]
    rest = scorer.unmarked(texts, found, scorer.marked_in([doc], ["NEW"]))
    assert rest == [((4, 7, "NEW"), (8, 11, "OLD")), ((0, 3, "OLD"),)]


@st.composite
def spans(draw):
    cuts = sorted(draw(st.sets(st.integers(0, 8), max_size=6)))
    pairs = [p for p in zip(cuts, cuts[1:], strict=False) if draw(st.booleans())]
    return [(s, e, draw(st.sampled_from(LABELS))) for s, e in pairs]


@given(gold=spans(), predicted=spans(), missing=st.sets(st.integers(0, 7)))
def test_scorer_agrees_with_spacys_own(gold, predicted, missing):
    example = Example(doc_with(predicted), doc_with(gold, missing))
    theirs = get_ner_prf([example])
    ours = scorer.entity_prf([example], LABELS)
    assert ours.fscore == pytest.approx(theirs["ents_f"] or 0.0)
    for label in LABELS:
        expected = (theirs["ents_per_type"] or {}).get(label, {"f": 0.0})["f"]
        assert scorer.entity_prf([example], (label,)).fscore == pytest.approx(expected)


def test_scorer_retention_counts_old_labels_only():
    silver = [((0, 2, "A"), (4, 5, "B")), ()]
    predicted = [((0, 2, "A"), (6, 7, "NEW")), ((1, 2, "A"),)]
    score = scorer.silver_prf(predicted, silver, LABELS)
    assert (score.tp, score.fp, score.fn) == (1, 1, 1)
    assert scorer.agreement(score) == 0.5
    assert scorer.agreement(scorer.silver_prf([()], [()], LABELS)) == 1.0


def test_scorer_flood_is_new_entities_per_thousand_words():
    assert (
        scorer.flood([((0, 1, "NEW"), (2, 3, "A")), ((0, 1, "NEW"),)], ("NEW",), 400)
        == 5.0
    )


@given(st.floats(0, 1), st.floats(0, 1))
def test_scorer_harmonic_mean_punishes_the_worse(a, b):
    mean = scorer.harmonic_mean(a, b)
    assert 0 <= mean <= 1 + 1e-9 and mean <= 2 * min(a, b) + 1e-9
    assert scorer.harmonic_mean(0, b) == 0 == scorer.harmonic_mean(a, 0)
    assert scorer.harmonic_mean(0.5, 1.0) == pytest.approx(2 / 3)


# Scores on three tasks, after the first, second and third step.
MATRIX = [[0.9, 0.0, 0.0], [0.7, 0.8, 0.0], [0.8, 0.5, 0.6]]


def test_scorer_backward_transfer_by_hand():
    # 0.8 - 0.9 and 0.5 - 0.8
    assert scorer.backward_transfer(MATRIX) == pytest.approx((-0.1 - 0.3) / 2)
    assert scorer.backward_transfer([[0.5]]) == 0.0


def test_scorer_forgetting_is_from_the_best_by_hand():
    matrix = [[0.5, 0.0, 0.0], [0.9, 0.8, 0.0], [0.8, 0.5, 0.6]]
    # 0.9 - 0.8 and 0.8 - 0.5; backward transfer sees a gain on the first
    assert scorer.forgetting(matrix) == pytest.approx((0.1 + 0.3) / 2)
    assert scorer.backward_transfer(matrix) == pytest.approx((0.3 - 0.3) / 2)


def test_scorer_gap_closed_by_hand():
    assert scorer.gap_closed(0.5, naive=0.2, joint=0.8) == pytest.approx(0.5)
    assert scorer.gap_closed(0.9, naive=0.2, joint=0.8) > 1
    assert math.isnan(scorer.gap_closed(0.5, naive=0.4, joint=0.4))


def test_scorer_mean_of_labels():
    assert scorer.mean([0.2, 0.4]) == pytest.approx(0.3)
    assert scorer.mean([]) == 0.0
