"""Pipes before the recogniser: it meets the entities and sentences that they set."""

import numpy
import pytest
import spacy
from spacy.language import Language
from spacy.tokens import Span
from spacy.training import Corpus

from spacy_rehearse.callbacks import create_export_v1
from spacy_rehearse.distillation import action_names
from spacy_rehearse.layers import output_layer

from .test_component import loop
from .util import initialize, make_texts

COLUMN = {"width": 8, "depth": 1, "hidden": 4}
RULE = {"label": "SKU", "pattern": "the"}


@Language.component("test_sentences")
def sentences(doc):
    for token in doc:
        token.is_sent_start = token.i == 0
    return doc


@Language.component("test_untold")
def untold(doc):
    doc.set_ents([Span(doc, t.i, t.i + 1, "SKU") for t in doc if t.text == "the"])
    return doc


def add_entity_ruler(nlp):
    nlp.add_pipe("entity_ruler", before="ner").add_patterns([RULE])


def add_span_ruler(nlp):
    ruler = nlp.add_pipe("span_ruler", before="ner", config={"annotate_ents": True})
    ruler.add_patterns([RULE])


def prepared(path, corpus, annotating=(), **settings):
    nlp = spacy.load(path)
    nlp.add_pipe("rehearsal", first=True, config={"ratio": 1.0, "margin": 1.0})
    nlp.config["training"]["annotating_components"] = list(annotating)
    examples = list(Corpus(corpus / "train.spacy")(nlp))
    initialize(nlp, path, corpus, examples, **{"column": COLUMN, **settings})
    return nlp, examples


def base_with(base, change, folder):
    nlp = spacy.load(base)
    change(nlp)
    nlp.to_disk(folder)
    return folder


@pytest.mark.parametrize("change", [add_entity_ruler, add_span_ruler])
def test_earlier_pipes_leave_old_weights_as_they_are(base, corpus, tmp_path, change):
    path = base_with(base, change, tmp_path / "base")
    nlp, examples = prepared(path, corpus)
    loop(nlp, examples, n_updates=1)
    nlp.evaluate(examples)  # the recogniser meets SKU
    loop(nlp, examples, n_updates=3)
    nlp.get_pipe("rehearsal").settle()
    before, after = (x.get_pipe("ner") for x in (spacy.load(path), nlp))
    rows = [action_names(after).index(name) for name in action_names(before)]
    old, new = (output_layer(x.model) for x in (before, after))
    weights = new.get_param("W")[rows]
    width = old.get_dim("nI")
    numpy.testing.assert_array_equal(weights[:, :width], old.get_param("W"))
    numpy.testing.assert_array_equal(weights[:, width:], 0)
    numpy.testing.assert_array_equal(new.get_param("b")[rows], old.get_param("b"))


@pytest.mark.parametrize("column", [COLUMN, None], ids=["column", "all weights"])
def test_earlier_pipes_labels_are_not_found_by_what_is_saved(
    base, corpus, tmp_path, column
):
    def add_ruler_for_nothing(nlp):
        ruler = nlp.add_pipe("entity_ruler", before="ner")
        ruler.add_patterns([{"label": "SKU", "pattern": "zzzz"}])

    path = base_with(base, add_ruler_for_nothing, tmp_path / "base")
    nlp, examples = prepared(path, corpus, column=column)
    loop(nlp, examples, n_updates=1)
    create_export_v1()(nlp).to_disk(tmp_path / "saved")
    saved = spacy.load(tmp_path / "saved")
    texts = [text for text, _ in make_texts(40, ("PERSON", "ORG", "GADGET"), seed=3)]
    words = [word for text in texts for word in text.split()]
    found = {ent.label_ for doc in saved.pipe([*texts, *words]) for ent in doc.ents}
    assert "SKU" not in found and found & {"PERSON", "ORG"}


def test_earlier_pipes_that_do_not_tell_their_labels_are_named(base, corpus, tmp_path):
    path = base_with(
        base, lambda nlp: nlp.add_pipe("test_untold", before="ner"), tmp_path / "base"
    )
    nlp, examples = prepared(path, corpus)
    nlp.update(examples[:4], sgd=False)
    nlp.evaluate(examples)
    with pytest.raises(ValueError, match=r"labels \['SKU'\].*'test_untold'"):
        nlp.update(examples[:4], sgd=False)
    plain = create_export_v1()(nlp)  # spaCy saves what there is
    bias = output_layer(plain.get_pipe("ner").model).get_param("b")
    theirs = output_layer(spacy.load(path).get_pipe("ner").model).get_param("b")
    numpy.testing.assert_array_equal(bias[: len(theirs)], theirs)


def test_earlier_pipes_may_be_functions(base, corpus, tmp_path):
    def change(nlp):
        nlp.add_pipe("test_sentences", before="ner")
        nlp.config["training"]["annotating_components"] = ["test_sentences"]

    path = base_with(base, change, tmp_path / "base")
    nlp, examples = prepared(path, corpus, annotating=["test_sentences"])
    teacher = nlp.get_pipe("rehearsal").session.teacher
    assert teacher.pipes == ("test_sentences", "ner")
    losses = nlp.update(examples, sgd=False, annotates=["test_sentences"])
    assert losses["rehearsal"] > 0
