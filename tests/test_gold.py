from collections import Counter
from itertools import count, cycle, islice

import pytest
import spacy
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Corpus, Example

from spacy_rehearse.gold import (
    clear_predicted,
    mend_entities,
    read_docs,
    read_gold,
    resolve_labels,
    until_repeated,
    warn_of_dev,
)

NLP = spacy.blank("xx")


def example(words, *spans):
    doc = Doc(NLP.vocab, words=words)
    doc.set_ents([Span(doc, *span) for span in spans], default="outside")
    return Example(Doc(NLP.vocab, words=words), doc)


def spans_of(doc):
    return [(e.start, e.end, e.label_) for e in doc.ents]


def test_gold_white_space_is_taken_off_the_edges():
    eg = example(["\n", "Bob", "\n", " ", "x"], (0, 3, "PERSON"))
    known = Span(eg.reference, 0, 3, label="PERSON", kb_id="Q1", span_id="b")
    eg.reference.set_ents([known])
    assert mend_entities(eg) == 1
    assert spans_of(eg.reference) == [(1, 2, "PERSON")]
    (ent,) = eg.reference.ents
    assert (ent.kb_id_, ent.id_) == ("Q1", "b")
    assert [t.ent_iob for t in eg.reference] == [2, 3, 2, 2, 2]
    assert mend_entities(eg) == 0


def test_gold_nothing_but_white_space_is_set_aside():
    eg = example(["a", "\n", "Bob"], (1, 2, "ORG"), (2, 3, "PERSON"))
    assert mend_entities(eg) == 1
    assert spans_of(eg.reference) == [(2, 3, "PERSON")]
    assert [t.ent_iob for t in eg.reference] == [2, 0, 3]


@pytest.mark.parametrize("which", ["reference", "predicted"])
def test_gold_entity_across_a_sentence_start_is_set_aside(which):
    eg = example(["a", "Bob", "Lind", "b", "Eve"], (1, 3, "PERSON"), (4, 5, "PERSON"))
    getattr(eg, which)[2].is_sent_start = True
    assert mend_entities(eg) == 1
    assert spans_of(eg.reference) == [(4, 5, "PERSON")]
    assert [t.ent_iob for t in eg.reference] == [2, 0, 0, 2, 3]


def test_gold_entity_at_a_sentence_start_is_left_alone():
    eg = example(["a", "Bob", "Lind"], (1, 3, "PERSON"))
    eg.reference[1].is_sent_start = True
    assert mend_entities(eg) == 0


def test_gold_entities_are_taken_off_predicted_docs():
    eg = example(["a", "Bob"], (1, 2, "PERSON"))
    assert not clear_predicted(eg)
    eg.predicted.set_ents([Span(eg.predicted, 0, 1, "ORG")])
    assert clear_predicted(eg)
    assert not eg.predicted.ents and not eg.predicted.has_annotation("ENT_IOB")
    assert spans_of(eg.reference) == [(1, 2, "PERSON")]


def test_gold_labels_are_by_default_those_that_are_new():
    gold = Counter({"GADGET": 3, "PERSON": 2, "TOOL": 1})
    assert resolve_labels(None, gold, ["ORG", "PERSON"]) == ("GADGET", "TOOL")
    assert resolve_labels(["PERSON"], Counter({"PERSON": 2}), ["PERSON"]) == ("PERSON",)


@pytest.mark.parametrize(
    "declared,gold,words",
    [
        (None, {"PERSON": 2}, "holds no new label.*labels = "),
        (["GADGIT"], {"GADGET": 2}, r"\['GADGIT'\] never occur"),
        ([], {"GADGET": 2}, "never occur"),
        (["PERSON"], {"PERSON": 2, "GADGET": 1}, r"\['GADGET'\].*does not list"),
    ],
)
def test_gold_labels_that_can_not_be_right(declared, gold, words):
    with pytest.raises(ValueError, match=words):
        resolve_labels(declared, Counter(gold), ["ORG", "PERSON"])


def test_gold_without_entities():
    with pytest.raises(ValueError, match="no entity in 1 texts"):
        read_gold(lambda: [example(["a", "b"])], NLP)


@pytest.mark.parametrize("reader,n", [("spacy.Corpus.v1", 1), ("mine.v1", 0)])
def test_gold_dev_without_the_new_label_is_warned_of(tmp_path, recwarn, reader, n):
    path = tmp_path / "dev.spacy"
    DocBin(docs=[example(["a", "b"], (0, 1, "ORG")).reference]).to_disk(path)
    config = {
        "corpora": {"dev": {"@readers": reader, "path": str(path)}},
        "training": {"dev_corpus": "corpora.dev"},
    }
    warn_of_dev(config, ["ORG"])
    assert not recwarn
    warn_of_dev(config, ["GADGET"])
    assert len(recwarn) == n
    for warning in recwarn:
        assert "marks none of the labels of the gold (GADGET)" in str(warning.message)


def test_gold_of_an_endless_corpus_is_read_once():
    texts = [example([f"a{i}", "b"]) for i in range(150)]
    assert list(until_repeated(cycle(texts))) == texts
    assert list(until_repeated(iter(texts))) == texts
    endless = (example([f"a{i}"]) for i in count())
    assert len(list(islice(until_repeated(endless), 300))) == 300


def test_gold_in_a_folder_is_read_as_spacy_reads_it(tmp_path):
    docs = [NLP.make_doc("Bob")]
    (tmp_path / "more").mkdir()
    for name in ("b.spacy", "more/a.spacy"):
        DocBin(docs=docs).to_disk(tmp_path / name)
    (tmp_path / "._b.spacy").write_bytes(b"what macOS puts beside b.spacy")
    assert len(read_docs(tmp_path, NLP.vocab)) == len([*Corpus(tmp_path)(NLP)]) == 2


def test_gold_in_an_empty_folder(tmp_path):
    with pytest.raises(ValueError, match="holds no doc"):
        read_docs(tmp_path, NLP.vocab)
