import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.matcher import PhraseMatcher
from spacy.scorer import PRFScore
from spacy.training import Example

from spacy_rehearse import silver as module
from spacy_rehearse.examples import to_examples
from spacy_rehearse.expert import Expert
from spacy_rehearse.findings import Findings
from spacy_rehearse.mentions import find_mentions, learn_mentions
from spacy_rehearse.silver import SilverText

NLP = spacy.blank("xx")
TEXT = "Ana Ruiz of Acme Corp likes the Zoomer X"
SILVER = SilverText(TEXT, ((0, 8, "PERSON"), (12, 21, "ORG")), 9)


def gold(text, *spans):
    doc = NLP.make_doc(text)
    doc.set_ents([doc.char_span(*span) for span in spans], default="outside")
    return Example(NLP.make_doc(text), doc)


def no_mentions():
    return PhraseMatcher(NLP.vocab)


def iob(silver, unknown=(), mentions=None, found=None, verdicts=None, doubted=()):
    (eg,) = to_examples(
        NLP,
        [silver._replace(findings=found) if found else silver],
        unknown=unknown,
        mentions=mentions or no_mentions(),
        verdicts=verdicts or {},
        doubted=doubted,
    )
    assert not eg.predicted.ents and not eg.predicted.has_annotation("ENT_IOB")
    return [t.ent_iob_ + ("-" + t.ent_type_ if t.ent_type_ else "") for t in eg.y]


def test_silver_blank_tokens_are_explicit_o():
    assert iob(SILVER) == [
        "B-PERSON", "I-PERSON", "O", "B-ORG", "I-ORG", "O", "O", "O", "O",
    ]  # fmt: skip
    assert set(iob(SilverText("nothing here", (), 2))) == {"O"}


def test_silver_of_a_label_being_corrected_is_missing():
    assert iob(SILVER, unknown=("ORG",))[2:6] == ["O", "", "", "O"]


def test_silver_is_missing_where_the_gold_would_name_the_new_concept():
    examples = [gold("my zoomer x broke", (3, 11, "GADGET"))]
    mentions = learn_mentions(examples, ("GADGET",), NLP)
    assert iob(SILVER, mentions=mentions)[5:] == ["O", "O", "", ""]


@pytest.mark.parametrize("named", ["D.C.", "U.S. Army", "Dr. No's", "New\nYork", "X"])
def test_silver_is_missing_where_the_gold_would_name_it_however_it_is_split(named):
    text = f"we saw {named} there"
    examples = [gold(text, (7, 7 + len(named), "PLACE"))]
    mentions = learn_mentions(examples, ("PLACE",), NLP)
    for written in {text, text.replace("\n", " "), text.lower()}:
        doc = NLP.make_doc(written)
        tokens = iob(SilverText(written, (), len(doc)), mentions=mentions)
        named_tokens = [t for t in doc if 7 <= t.idx < 7 + len(named)]
        assert {tokens[t.i] for t in named_tokens if not t.is_space} == {""}
        assert {x for i, x in enumerate(tokens) if i < 2 or i == len(doc) - 1} == {"O"}


def test_silver_mentions_are_found_in_gold_of_another_vocab():
    doc = spacy.blank("xx").make_doc("The device hums")
    doc.set_ents([doc.char_span(4, 10, label="GADGET")], default="outside")
    mentions = learn_mentions([Example(doc, doc)], ("GADGET",), NLP)
    assert [span.text for span in find_mentions(doc, mentions)] == ["device"]


def test_silver_forms_of_which_gold_says_nothing_elsewhere_count():
    doc = NLP.make_doc("the zoomer , zoomer and zoomer")
    zoomer = doc.char_span(4, 10, "GADGET")
    doc.set_ents([zoomer], missing=[doc[3:]], default="outside")
    examples = [Example(NLP.make_doc(doc.text), doc)]
    mentions = learn_mentions(examples, ("GADGET",), NLP)
    assert iob(SilverText("a zoomer", (), 2), mentions=mentions) == ["O", ""]


def test_silver_entity_that_the_gold_calls_something_new_is_missing_as_a_whole():
    examples = [gold("a Corp b", (2, 6, "GADGET"))]
    mentions = learn_mentions(examples, ("GADGET",), NLP)
    assert iob(SILVER, mentions=mentions)[2:6] == ["O", "", "", "O"]


ZOOMER = (32, 40, "GADGET")


def test_silver_says_what_the_experts_are_certain_of():
    assert iob(SILVER, found=Findings([ZOOMER], []))[5:] == [
        "O", "O", "B-GADGET", "I-GADGET",
    ]  # fmt: skip


def test_silver_is_missing_where_the_experts_doubt():
    assert iob(SILVER, found=Findings([], [ZOOMER]))[5:] == ["O", "O", "", ""]


def test_silver_keeps_the_teachers_entity_where_the_experts_doubt():
    found = Findings([], [(4, 11, "GADGET")])
    assert iob(SILVER, found=found)[:4] == ["B-PERSON", "I-PERSON", "", "B-ORG"]


def test_silver_is_missing_where_teacher_and_experts_contradict_each_other():
    found = Findings([(17, 21, "GADGET"), ZOOMER], [])
    assert iob(SILVER, found=found)[2:] == [
        "O", "", "", "O", "O", "B-GADGET", "I-GADGET",
    ]  # fmt: skip


def test_silver_is_missing_where_the_experts_doubt_an_entity_of_a_doubted_label():
    found = Findings([], [(4, 11, "GADGET")])
    said = iob(SILVER, found=found, doubted={"PERSON"})
    assert said[:4] == ["", "", "", "B-ORG"]
    across = Findings([], [(4, 16, "GADGET")])  # and of one that is not
    said = iob(SILVER, found=across, doubted={"PERSON"})
    assert said[:5] == ["B-PERSON", "I-PERSON", "", "B-ORG", "I-ORG"]


CORP = Findings([(17, 21, "GADGET")], [])


def test_silver_is_what_the_experts_say_where_gold_is_on_their_side():
    said = iob(SILVER, found=CORP, verdicts={"ORG": True, "PERSON": False})
    assert said[2:6] == ["O", "", "B-GADGET", "O"]


def test_silver_is_what_the_teacher_says_where_gold_is_on_its_side():
    said = iob(SILVER, found=CORP, verdicts={"ORG": False, "PERSON": True})
    assert said == iob(SILVER)


def test_silver_is_missing_where_an_expert_beats_only_one_of_two_entities():
    found = Findings([(4, 16, "GADGET")], [])
    said = iob(SILVER, found=found, verdicts={"ORG": False, "PERSON": True})
    assert said[:5] == ["", "", "", "", ""]


def test_silver_of_a_label_being_corrected_is_what_the_experts_say():
    found = Findings([(12, 16, "ORG")], [])
    corrected = iob(SILVER, unknown=("ORG",), found=found)
    assert corrected[2:6] == ["O", "B-ORG", "", "O"]


def test_silver_forms_that_are_seldom_new_do_not_count():
    examples = [
        gold("a corp b", (2, 6, "GADGET")),
        gold("the corp said the corp did"),
    ]
    mentions = learn_mentions(examples, ("GADGET",), NLP)
    assert iob(SILVER, mentions=mentions) == iob(SILVER)


def test_silver_misaligned_entities_are_missing():
    assert iob(SilverText("Acme Corp", ((0, 2, "ORG"),), 2)) == ["", "O"]


def test_silver_features_are_those_of_the_tokenizer():
    nlp = spacy.blank("xx")
    nlp.tokenizer.add_special_case("Corp", [{"ORTH": "Corp", "NORM": "company"}])
    mentions = PhraseMatcher(nlp.vocab)
    (eg,) = to_examples(nlp, [SILVER], unknown=(), mentions=mentions)
    assert eg.predicted[4].norm_ == "company"


def test_silver_entities_that_the_recogniser_can_not_learn_are_mended():
    doc = NLP.make_doc("Ana \n of")
    ana = doc[0:2]
    silver = SilverText(doc.text, ((ana.start_char, ana.end_char, "PERSON"),), 3)
    assert iob(silver) == ["B-PERSON", "O", "O"]


@pytest.mark.parametrize("most, n_asked", [(1000, 150), (0, 300)])
def test_silver_experts_are_asked_once_about_each_text_while_memory_lasts(
    monkeypatch, most, n_asked
):
    asked = []

    def find(experts, texts, labels, **_):
        asked.extend(texts)
        return [Findings([], [(0, len(text), "GADGET")]) for text in texts]

    monkeypatch.setattr(module, "find", find)
    monkeypatch.setattr(module, "MOST_REMEMBERED", most)
    silver = [SilverText("x" * n, (), 1) for n in range(150)] * 2
    told = list(module.ask_experts(iter(silver), [], ("GADGET",)))
    assert [item.text for item in told] == [item.text for item in silver]
    assert all(x.findings.doubtful == [(0, len(x.text), "GADGET")] for x in told)
    assert len(asked) == n_asked


def test_silver_experts_confirm_the_teacher_where_it_is_corrected(monkeypatch):
    leant = [(4, 5, "ORG")]
    said = Findings([(0, 1, "ORG")], [(2, 3, "ORG"), (6, 7, "ORG")], leant)
    asked = []
    monkeypatch.setattr(module, "find", lambda x, *_: asked.append(x) or [said])
    expert = Expert(None, (), PRFScore(), 1, lean=6.0)
    taught = ((2, 3, "ORG"), (4, 5, "ORG"), (8, 9, "PERSON"))
    silver = [SilverText("a b c d e", taught, 5)]
    (full,) = module.ask_experts(iter(silver), [expert], ("ORG",))
    assert full.findings == ([(0, 1, "ORG"), (2, 3, "ORG")], [(6, 7, "ORG")], leant)
    (told,) = module.ask_experts(iter(silver), [expert], ("ORG",), alone=False)
    assert told.findings == ([(2, 3, "ORG")], (), ())
    assert [x.lean for (x,) in asked] == [6.0, 0.0]  # who leans confirms nothing


SPANS = st.lists(st.tuples(st.integers(0, 8), st.integers(1, 3)), max_size=6)


def disjoint(spans, label="ORG"):
    """Entities on tokens of a text of nine letters with spaces between them."""
    found, end = [], 0
    for start, n_tokens in sorted(spans):
        if start >= end and start + n_tokens <= 9:
            end = start + n_tokens
            found.append((2 * start, 2 * end - 1, label))
    return found


@given(SPANS, SPANS, SPANS, st.booleans())
def test_silver_what_experts_are_certain_of_never_overlaps(agreed, one, own, alone):
    """All agree on other edges than those that one confirms to the teacher."""
    said = Findings(disjoint(agreed), [*disjoint(one), *disjoint(own)])
    silver = [SilverText("a b c d e f g h i", tuple(disjoint(own)), 9)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "find", lambda *_, **__: [said])
        (told,) = module.ask_experts(iter(silver), [], ("ORG",), alone=alone)
    certain, doubtful, _ = told.findings
    assert not {*certain} & {*doubtful}
    assert set(disjoint(agreed)) <= {*certain} or not alone
    iob(told, unknown=("ORG",))  # spaCy takes no entities that overlap
