import numpy
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.training import Corpus

from spacy_rehearse import fitting
from spacy_rehearse.callbacks import create_export_v1
from spacy_rehearse.distillation import label_of
from spacy_rehearse.layers import output_layer
from spacy_rehearse.margin import raise_scores
from spacy_rehearse.recipe import LEAN, MARGIN, MARGIN_ALONE

from .test_component import initialized, loop
from .util import initialize, make_docs

COLUMN = {"width": 16, "depth": 1, "hidden": 8}
NER = spacy.blank("xx").add_pipe("ner")
for label in ("OLD", "NEW"):
    NER.add_label(label)
NER.model.initialize()


def scores(nlp):
    return output_layer(nlp.get_pipe("ner").model).get_param("b").copy()


@settings(max_examples=20)
@given(by=st.floats(-5, 5, width=16))
def test_margin_raises_the_actions_of_a_label_and_no_other(by):
    layer = output_layer(NER.model)
    layer.set_param("b", layer.ops.alloc_f(layer.get_param("b").shape))
    raise_scores(NER, lambda action: label_of(action) == "NEW", by)
    names = [NER.moves.get_class_name(i) for i in range(NER.moves.n_moves)]
    raised = dict(zip(names, layer.get_param("b").tolist(), strict=True))
    assert {x for x in names if raised[x] == by} >= {"B-NEW", "I-NEW", "L-NEW", "U-NEW"}
    assert all(raised[x] == 0 for x in names if not x.endswith("NEW"))


def with_margin(base, corpus, margin, **settings):
    nlp, examples = initialized(base, corpus, **settings)
    rehearsal = nlp.get_pipe("rehearsal")
    rehearsal.session.margin = rehearsal.margin = margin
    return nlp, examples


def all_seen(nlp):
    """What was never seen is saved otherwise: see test_unseen.py."""
    nlp.get_pipe("ner").model.attrs["unseen_classes"].clear()


@pytest.mark.parametrize("column", [None, COLUMN])
def test_margin_is_there_while_gradients_come_in_and_gone_afterwards(
    base, corpus, column
):
    nlp, examples = with_margin(base, corpus, 2.0, column=column)
    before, rehearsal = scores(nlp), nlp.get_pipe("rehearsal")
    for _ in range(2):  # accumulated gradients
        nlp.update(examples[:4], sgd=False)
        ner = nlp.get_pipe("ner")
        names = [ner.moves.get_class_name(i) for i in range(ner.moves.n_moves)]
        raised = dict(zip(names, (scores(nlp) - before).tolist(), strict=True))
        old = rehearsal.session.old_labels
        assert old and {label_of(x) for x in raised} > {*old, "GADGET"}
        for name, by in raised.items():  # of the new label, nothing
            expected = 2.0 if name == "O" else -4.0 if label_of(name) in old else 0.0
            assert by == pytest.approx(expected)
    optimizer = nlp.resume_training()
    optimizer.learn_rate = 0.0
    for _, pipe in nlp.pipeline:
        pipe.finish_update(optimizer)
    numpy.testing.assert_array_equal(scores(nlp), before)


def test_margin_is_gone_from_what_is_saved_in_the_middle_of_an_update(base, corpus):
    nlp, examples = with_margin(base, corpus, 2.0)
    all_seen(nlp)
    before = scores(nlp)
    nlp.update(examples[:4], sgd=False)
    saved = create_export_v1()(nlp)
    numpy.testing.assert_array_equal(scores(saved), before)


def test_margin_is_gone_from_what_is_saved_without_the_export(
    base, corpus, tmp_path, capfd
):
    nlp, examples = with_margin(base, corpus, 2.0)
    all_seen(nlp)
    before = scores(nlp)
    nlp.update(examples[:4], sgd=False)
    capfd.readouterr()
    nlp.to_disk(tmp_path / "saved")
    assert "needs spacy-rehearse to be loaded" in " ".join(
        capfd.readouterr().err.split()
    )
    numpy.testing.assert_array_equal(scores(spacy.load(tmp_path / "saved")), before)
    nlp.update(examples[:4], sgd=False)
    plain = spacy.load(tmp_path / "saved").from_bytes(nlp.to_bytes())
    numpy.testing.assert_array_equal(scores(plain), before)


@pytest.mark.slow
def test_margin_finds_more_of_the_new_label(base, corpus):
    docs = make_docs(spacy.blank("xx"), 100, ("GADGET",), seed=9)
    found = []
    for margin in (0.0, 3.0):
        spacy.util.fix_random_seed(0)
        nlp, examples = with_margin(base, corpus, margin)
        loop(nlp, examples, n_updates=12)
        with nlp.select_pipes(enable=["ner"]):
            predicted = list(nlp.pipe([doc.text for doc in docs]))
        found.append(sum(e.label_ == "GADGET" for doc in predicted for e in doc.ents))
    assert found[1] > found[0]


@pytest.mark.parametrize("margin", [-1.0, 11.0])
def test_margin_out_of_range_is_refused(base, corpus, margin):
    nlp = spacy.load(base)
    rehearsal = nlp.add_pipe("rehearsal", first=True, config={"margin": margin})
    with pytest.raises(ValueError, match=rf"margin is {margin}: expected 0"):
        rehearsal.initialize(list, nlp=nlp, teacher=str(base), pool=lambda nlp: [])


def test_margin_averages_have_none_where_an_update_is_interrupted(base, corpus):
    nlp, examples = with_margin(base, corpus, 2.0)
    all_seen(nlp)
    optimizer = nlp.resume_training()
    optimizer.averages = {}
    nlp.update(examples[:4], sgd=False)
    for _, pipe in nlp.pipeline:
        pipe.finish_update(optimizer)
    layer = output_layer(nlp.get_pipe("ner").model)
    average = optimizer.averages[layer.id, "b"].copy()
    before = scores(nlp)
    nlp.update(examples[:4], sgd=False)  # Ctrl-C comes here, and spaCy saves
    with nlp.use_params(optimizer.averages):
        saved = create_export_v1()(nlp)
        numpy.testing.assert_array_equal(scores(saved), average)
    nlp.get_pipe("rehearsal").settle()
    numpy.testing.assert_array_equal(scores(nlp), before)


def test_margin_is_left_out_where_old_labels_can_move(base, corpus, capfd):
    for column in (None, COLUMN):
        nlp = spacy.load(base)
        nlp.add_pipe("rehearsal", first=True, config={"margin": 2.0})
        examples = list(Corpus(corpus / "train.spacy")(nlp))
        rehearsal = initialize(nlp, base, corpus, examples, column=column)
        assert rehearsal.session.margin == (2.0 if column else 0.0)
        assert ("margin is left out" in capfd.readouterr().err) == (not column)


@pytest.mark.parametrize("misses", [True, False])
def test_margin_is_there_by_itself_only_where_experts_miss_most(
    base, corpus, monkeypatch, misses
):
    monkeypatch.setattr(fitting, "miss_most", lambda experts: misses)
    expert = {"n_experts": 1, "max_passes": 1, "lean": None}
    nlp, _ = initialized(base, corpus, expert=expert, column=COLUMN)
    rehearsal = nlp.get_pipe("rehearsal")
    assert rehearsal.margin is None
    assert rehearsal.session.margin == (MARGIN if misses else 0.0)
    assert rehearsal.session.about["settings"]["margin"] == rehearsal.session.margin
    assert rehearsal.session.about["settings"]["expert"]["lean"] in (0.0, LEAN)


@pytest.mark.parametrize("ratio, margin", [(1.0, MARGIN), (0.0, MARGIN_ALONE)])
def test_margin_without_experts_is_there_where_there_are_few_entities(
    base, corpus, ratio, margin
):
    nlp, _ = initialized(base, corpus, expert=None, column=COLUMN, ratio=ratio)
    assert nlp.get_pipe("rehearsal").session.margin == margin


def test_margin_does_not_show_in_predictions_in_the_middle_of_an_update(base, corpus):
    nlp, examples = with_margin(base, corpus, 2.0)
    before = scores(nlp)
    nlp.update(examples[:8], sgd=False)
    assert (scores(nlp) != before).any()
    nlp(examples[0].text)
    numpy.testing.assert_array_equal(scores(nlp), before)
    nlp.update(examples[:8], sgd=False)
    assert (scores(nlp) != before).any()
    list(nlp.pipe([examples[0].text]))
    numpy.testing.assert_array_equal(scores(nlp), before)
