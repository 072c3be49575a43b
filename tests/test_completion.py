import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc

from spacy_rehearse.completion import complete

NLP = spacy.blank("en")
WORDS = 8
OLD, NEW = ("PERSON", "ORG"), ("GADGET",)


def make_doc(spans=(), missing=()):
    doc = Doc(NLP.vocab, words=[f"w{i}" for i in range(WORDS)])
    doc.set_ents(
        [spacy.tokens.Span(doc, s, e, label=x) for s, e, x in spans],
        missing=[doc[i : i + 1] for i in missing],
        default="outside",
    )
    return doc


def entity(doc, start, end, label):
    span = doc[start:end]
    return span.start_char, span.end_char, label


def spans_of(doc):
    return [(e.start, e.end, e.label_) for e in doc.ents]


def missing_in(doc):
    return [t.i for t in doc if t.ent_iob == 0]


def test_completion_fills_in_what_gold_leaves_unsaid():
    doc = make_doc([(0, 1, "GADGET")])
    counts = complete(doc, [entity(doc, 3, 5, "PERSON")], NEW)
    assert spans_of(doc) == [(0, 1, "GADGET"), (3, 5, "PERSON")]
    assert missing_in(doc) == []
    assert counts == (1, 0, 0)


def test_completion_gold_wins_and_the_rest_of_a_cut_entity_becomes_missing():
    doc = make_doc([(2, 4, "GADGET")])
    counts = complete(doc, [entity(doc, 1, 3, "ORG"), entity(doc, 5, 6, "ORG")], NEW)
    assert spans_of(doc) == [(2, 4, "GADGET"), (5, 6, "ORG")]
    assert missing_in(doc) == [1]
    assert counts == (1, 1, 0)


def test_completion_articles_and_punctuation_of_a_cut_entity_are_outside():
    words = ["in", "the", "Social", "Party", "(", "US", ")"]
    doc = Doc(NLP.vocab, words=words)
    doc.set_ents([spacy.tokens.Span(doc, 2, 4, label="GADGET")], default="outside")
    complete(doc, [entity(doc, 1, 7, "ORG")], NEW)
    assert [t.ent_iob_ for t in doc] == ["O", "O", "B", "I", "O", "", "O"]


def test_completion_articles_are_outside_in_scripts_without_case_too():
    doc = Doc(spacy.blank("ar").vocab, words=["هذا", "حزب", "العمل"])
    doc.set_ents([spacy.tokens.Span(doc, 1, 3, label="GADGET")], default="outside")
    complete(doc, [entity(doc, 0, 3, "ORG")], NEW)
    assert [t.ent_iob_ for t in doc] == ["O", "B", "I"]


def test_completion_never_fills_in_a_label_that_the_gold_is_authority_for():
    doc = make_doc([(0, 1, "ORG")])
    complete(doc, [entity(doc, 3, 5, "ORG"), entity(doc, 6, 7, "PERSON")], ("ORG",))
    assert spans_of(doc) == [(0, 1, "ORG"), (6, 7, "PERSON")]
    assert missing_in(doc) == []  # gold is exhaustive for ORG: explicit O


def test_completion_missing_gold_tokens_stay_missing_but_under_an_entity():
    doc = make_doc([(0, 1, "GADGET")], missing=[3, 4, 6])
    complete(doc, [entity(doc, 4, 5, "PERSON")], NEW)
    assert missing_in(doc) == [3, 6]
    assert spans_of(doc) == [(0, 1, "GADGET"), (4, 5, "PERSON")]


def test_completion_respects_blocked_tokens():
    doc = make_doc()
    doc.set_ents([], blocked=[doc[2:4]], default="outside")
    complete(doc, [entity(doc, 3, 5, "PERSON")], NEW)
    assert spans_of(doc) == []
    assert [t.ent_iob for t in doc][2:5] == [3, 3, 0]


def test_completion_misaligned_entities_become_missing_and_are_counted():
    doc = make_doc([(0, 1, "GADGET")])
    counts = complete(doc, [(4, 7, "PERSON")], NEW)  # the middle of w1 and of w2
    assert counts.misaligned == 1
    assert spans_of(doc) == [(0, 1, "GADGET")]
    assert missing_in(doc) == [1, 2]


def test_completion_misaligned_entities_keep_nothing_of_themselves_outside():
    doc = Doc(NLP.vocab, words=["Bank", "of", "America."])
    doc.set_ents([], default="outside")
    complete(doc, [(0, len("Bank of America"), "ORG")], NEW)
    assert missing_in(doc) == [0, 1, 2]


def test_completion_keeps_entity_ids():
    doc = make_doc()
    doc.set_ents([spacy.tokens.Span(doc, 0, 1, label="GADGET", kb_id="Q1")])
    complete(doc, [entity(doc, 3, 4, "PERSON")], NEW)
    assert doc.ents[0].kb_id_ == "Q1"


@st.composite
def disjoint_spans(draw, labels):
    cuts = sorted(draw(st.sets(st.integers(0, WORDS), max_size=6)))
    pairs = list(zip(cuts, cuts[1:], strict=False))
    kept = [pair for pair in pairs if draw(st.booleans())]
    return [(s, e, draw(st.sampled_from(labels))) for s, e in kept]


@given(
    gold=disjoint_spans(("GADGET", "PERSON")),
    silver=disjoint_spans(("PERSON", "ORG", "GADGET")),
    missing=st.sets(st.integers(0, WORDS - 1)),
)
def test_completion_invariants(gold, silver, missing):
    covered = {i for s, e, _ in gold for i in range(s, e)}
    doc = make_doc(gold, sorted(missing - covered))
    entities = [entity(doc, *span) for span in silver]
    complete(doc, entities, NEW)
    once = spans_of(doc), missing_in(doc)
    # Gold wins: all its entities are still there, and no token says two things.
    assert set(gold) <= set(spans_of(doc))
    taken = [i for s, e, _ in spans_of(doc) for i in range(s, e)]
    assert len(taken) == len(set(taken))
    # Whatever was added comes whole from the teacher, and is no label of the gold's.
    added = set(spans_of(doc)) - set(gold)
    assert added <= {span for span in silver if span[2] not in NEW}
    # Each of the teacher's spans is there, or cut and missing where gold is silent.
    for s, e, label in silver:
        if label not in NEW and (s, e, label) not in spans_of(doc):
            left = set(range(s, e)) - covered
            assert left <= set(missing_in(doc)) | set(taken)
    # Idempotent.
    complete(doc, entities, NEW)
    assert (spans_of(doc), missing_in(doc)) == once


@pytest.mark.parametrize("order", [1, -1])
def test_completion_does_not_depend_on_the_order_of_entities(order):
    doc = make_doc([(2, 3, "GADGET")])
    entities = [entity(doc, *s) for s in [(0, 1, "ORG"), (1, 3, "ORG"), (4, 6, "ORG")]]
    complete(doc, entities[::order], NEW)
    assert spans_of(doc) == [(0, 1, "ORG"), (2, 3, "GADGET"), (4, 6, "ORG")]
    assert missing_in(doc) == [1]
