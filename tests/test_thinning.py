import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import DocBin, Span
from spacy.training import Corpus, Example

from spacy_rehearse.convert import split_off
from spacy_rehearse.recipe import RARER, SILENT, SPARSE
from spacy_rehearse.thinning import create_thin_v1, is_kept, share_to_keep, thin

NLP = spacy.blank("xx")


def make(text, label=None):
    doc = NLP.make_doc(text)
    doc.set_ents([Span(doc, 0, 1, label)] if label else [])
    return doc


def texts(n_marked, n_silent):
    marked = [make(f"Zoomer number {i}", "GADGET") for i in range(n_marked)]
    return marked + [make(f"nothing happens, {i}") for i in range(n_silent)]


@given(
    n_marked=st.integers(1, 20),
    n_silent=st.integers(0, 600),
    n_in_dev=st.integers(0, 10),
)
def test_thinning_keeps_all_mentions_and_about_as_many_others_as_it_should(
    n_marked, n_silent, n_in_dev
):
    docs = texts(n_marked, n_silent)
    keep = share_to_keep(docs, texts(n_in_dev, 10 - n_in_dev), ["GADGET"])
    left = thin(docs, keep)
    assert sum(bool(doc.ents) for doc in left) == n_marked
    assert left == [doc for doc in docs if doc in left]  # in their order
    if n_marked / len(docs) >= max(SPARSE, RARER * n_in_dev / 10):
        assert keep == 1 and left == docs
    else:
        wanted = min(SILENT * n_marked, n_silent)
        assert abs(len(left) - n_marked - wanted) <= 5 * wanted**0.5


def test_thinning_never_keeps_none():
    blank = spacy.blank("xx")
    docs = [blank.make_doc(f"text {i}") for i in range(9000)]
    docs[0].ents = [Span(docs[0], 0, 1, "X")]
    keep = share_to_keep(docs, docs, ["X"])
    assert keep > 0
    create_thin_v1(keep)  # takes it


def test_thinning_leaves_gold_without_any_entity_alone():
    docs = texts(0, 30)
    assert share_to_keep(docs, docs, ["GADGET"]) == 1  # it is refused elsewhere


def test_thinning_old_labels_that_dev_marks_say_nothing_of_new_ones():
    docs, dev = texts(10, 90), texts(10, 90)
    dev += [make(f"Ada Lovelace, {i}", "PERSON") for i in range(300)]
    assert share_to_keep(docs, dev, ["GADGET"]) == 1
    assert share_to_keep(docs, dev, ["GADGET", "PERSON"]) < 1


def test_thinning_old_labels_that_gold_marks_do_not_count(tmp_path):
    docs = texts(5, 200)
    old = [make(f"Ada Lovelace, {i}", "PERSON") for i in range(200)]
    keep = share_to_keep(docs + old, docs, ["GADGET"])
    assert 0.02 < keep < 0.06
    left = thin(docs + old, keep, ["GADGET"])
    assert sum(ent.label_ == "GADGET" for doc in left for ent in doc.ents) == 5
    assert len(left) < 40
    DocBin(docs=docs + old).to_disk(tmp_path / "gold.spacy")
    augmenter = create_thin_v1(keep, ["GADGET"])
    read = Corpus(tmp_path / "gold.spacy", augmenter=augmenter)(NLP)
    assert [eg.reference.text for eg in read] == [doc.text for doc in left]


def test_thinning_is_independent_of_the_dev_split():
    train, _ = split_off(texts(0, 2000), 0.5)
    assert 0.07 < sum(is_kept(doc.text, 0.1) for doc in train) / len(train) < 0.13


def test_thinning_augmenter_leaves_texts_out_of_spacys_corpus(tmp_path):
    docs = texts(5, 200)
    DocBin(docs=docs).to_disk(tmp_path / "gold.spacy")
    corpus = Corpus(tmp_path / "gold.spacy", augmenter=create_thin_v1(0.1))
    read = [[eg.reference.text for eg in corpus(NLP)] for _ in range(2)]
    assert read[0] == read[1] == [d.text for d in thin(docs, 0.1)]
    assert list(create_thin_v1(1.0)(NLP, Example(docs[-1], docs[-1])))


@pytest.mark.parametrize("keep", [0.0, 1.1])
def test_thinning_refuses_a_share_that_is_none(keep):
    with pytest.raises(ValueError, match=f"keep is {keep}"):
        create_thin_v1(keep)
