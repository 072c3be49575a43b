import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.scorer import PRFScore

from spacy_rehearse import findings as module
from spacy_rehearse.expert import Expert
from spacy_rehearse.overlap import count_overlaps, verdicts_on

LABELS = ("GADGET",)
TEXT = "Ana likes Acme and Pixo"
GADGETS = [(0, 3, "GADGET"), (10, 14, "GADGET"), (19, 23, "GADGET")]
TAUGHT = {TEXT: [(0, 3, "PERSON"), (10, 18, "ORG"), (19, 23, "GADGET")]}


def test_overlap_gold_that_an_expert_never_saw_tells_who_is_right(monkeypatch):
    doc = spacy.blank("xx").make_doc(TEXT)
    doc.ents = [doc.char_span(10, 14, "GADGET")]
    monkeypatch.setattr(module, "predict_entities", lambda *_: [GADGETS])
    experts = [Expert(None, (), PRFScore(), 1, [doc])] * 2
    counts = count_overlaps(experts, LABELS, TAUGHT)
    assert counts == {"PERSON": (0, 2), "ORG": (2, 2)}


def test_overlap_is_no_evidence_where_gold_says_nothing(monkeypatch):
    doc = spacy.blank("xx").make_doc(TEXT)
    doc.set_ents([doc.char_span(10, 14, "GADGET")], missing=[doc[:1]])
    monkeypatch.setattr(module, "predict_entities", lambda *_: [GADGETS])
    counts = count_overlaps([Expert(None, (), PRFScore(), 1, [doc])], LABELS, TAUGHT)
    assert counts == {"ORG": (1, 1)}


def test_overlap_is_none_where_entities_are_side_by_side(monkeypatch):
    doc = spacy.blank("xx").make_doc("AnaAcme")
    found = [(0, 3, "GADGET"), (3, 7, "GADGET")]
    experts = [Expert(None, (), PRFScore(), 1, [doc])]
    for (entity,) in (found[:1], found[1:]):
        monkeypatch.setattr(module, "predict_entities", lambda *_, e=entity: [[e]])
        (other,) = {*found} - {entity}
        taught = {doc.text: [(*other[:2], "ORG")]}
        assert count_overlaps(experts, LABELS, taught) == {}


def test_overlap_is_judged_from_seven_to_three():
    # With one more of each, 7 and 3 of 10: just enough.
    assert verdicts_on({"A": (6, 8), "B": (2, 8)}) == {"A": True, "B": False}
    assert verdicts_on({"A": (11, 15), "B": (5, 15)}) == {"A": True}  # 12 and 6 of 17


def test_overlap_is_judged_only_on_evidence():
    counts = {"A": (2, 2), "B": (0, 2), "C": (1, 1), "D": (5, 10)}
    assert verdicts_on(counts) == {"A": True, "B": False}
    assert verdicts_on({}) == {}


@given(total=st.integers(0, 50), right=st.integers(0, 50))
def test_overlap_verdicts_follow_the_share(total, right):
    right = min(right, total)
    verdict = verdicts_on({"A": (right, total)}).get("A")
    more = verdicts_on({"A": (right + 1, total + 1)}).get("A")
    assert verdict is not True or more is True
    if verdict is not None:
        assert verdict == (2 * right > total)
