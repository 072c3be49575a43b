import numpy
import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from thinc.api import Adam

from spacy_rehearse import component, lead
from spacy_rehearse.callbacks import create_export_v1
from spacy_rehearse.distillation import action_names, label_of
from spacy_rehearse.layers import output_layer
from spacy_rehearse.lead import scale_averages, scale_lead
from spacy_rehearse.recipe import LEAD_OF_COPY
from spacy_rehearse.unseen import seen_actions

from .test_component import initialized
from .util import make_texts

NEW = ("GADGET",)
COPY = {"copy": True}


@pytest.fixture
def ner(base):
    nlp = spacy.load(base)
    pipe = nlp.get_pipe("ner")
    pipe.add_label("GADGET")
    layer = output_layer(pipe.model)
    rng = numpy.random.default_rng(0)
    layer.set_param("W", rng.normal(size=layer.get_param("W").shape).astype("f"))
    layer.set_param("b", rng.normal(size=layer.get_param("b").shape).astype("f"))
    return pipe


def scores(pipe, states):
    layer = output_layer(pipe.model)
    return states @ layer.get_param("W").T + layer.get_param("b")


def columns(pipe):
    """Those of `O`, of the old labels and of the new one."""
    names = action_names(pipe)
    new = [i for i, name in enumerate(names) if label_of(name) in NEW]
    return names.index("O"), [i for i in range(len(names)) if i not in new], new


@settings(max_examples=30)
@given(by=st.floats(0.2, 8), seed=st.integers(0, 99))
def test_lead_over_outside_is_multiplied_and_nothing_else_changes(recogniser, by, seed):
    states = numpy.random.default_rng(seed).normal(size=(20, 32)).astype("f")
    before = scores(recogniser, states)
    *_, new = columns(recogniser)
    scale_lead(recogniser, new, by)
    after = scores(recogniser, states)
    scale_lead(recogniser, new, 1 / by)
    outside, old, new = columns(recogniser)
    numpy.testing.assert_array_equal(after[:, old], before[:, old])
    lead, now = (x[:, new] - x[:, [outside]] for x in (before, after))
    numpy.testing.assert_allclose(now, by * lead, rtol=1e-2, atol=1e-3)
    back = scores(recogniser, states)
    numpy.testing.assert_allclose(back, before, rtol=1e-2, atol=1e-3)


@pytest.fixture(scope="module")
def recogniser(base):
    pipe = spacy.load(base).get_pipe("ner")
    pipe.add_label("GADGET")
    return pipe


def test_lead_of_averages_is_that_of_weights(ner):
    layer = output_layer(ner.model)
    names = ("W", "b")
    averages = {(layer.id, name): layer.get_param(name).copy() for name in names}
    averages[99, "W"] = numpy.ones((2, 2), dtype="f")
    *_, new = columns(ner)
    scale_averages(averages, ner, new, 2.0)
    scale_lead(ner, new, 2.0)
    for name in names:
        expected = layer.get_param(name)
        numpy.testing.assert_array_equal(averages[layer.id, name], expected)
    assert (averages[99, "W"] == 1).all()


@pytest.mark.parametrize(
    "column, factor",
    [(COPY, LEAD_OF_COPY), ({**COPY, "step_back": True}, 1.0), (None, 1.0)],
)
def test_lead_is_for_a_copy_beside_frozen_scores(base, corpus, column, factor):
    nlp, _ = initialized(base, corpus, column=column)
    assert nlp.get_pipe("rehearsal").session.lead == factor


def test_lead_grows_to_what_it_is():
    grown = [lead.lead_after(n, 5.0) for n in range(300)]
    assert grown[0] == 1 and grown == sorted(grown)
    assert set(grown[100:]) == {5.0}


def test_lead_takes_no_old_entity_before_new_labels_have_learnt_to_lose(base, corpus):
    spacy.util.fix_random_seed(0)
    nlp, examples = initialized(base, corpus, column=COPY)
    texts = [text for text, _ in make_texts(100, NEW, seed=2)]
    said = [
        [(e.text, e.label_) for e in doc.ents] for doc in spacy.load(base).pipe(texts)
    ]
    assert sum(map(len, said)) > 50
    optimizer = Adam(0.001)
    for _ in range(5):
        train(nlp, examples, 2, optimizer)
        ours = [{(e.text, e.label_) for e in doc.ents} for doc in nlp.pipe(texts)]
        kept = [e in found for found, old in zip(ours, said, strict=True) for e in old]
        assert sum(kept) >= 0.99 * len(kept)


def train(nlp, examples, n_updates, optimizer):
    for _ in range(n_updates):
        nlp.update(examples[:8], sgd=False)
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)


def head(nlp, like=None):
    """Weights of actions that were seen (see test_unseen.py): of `like`, if given."""
    ner = (like or nlp).get_pipe("ner")
    seen = sorted({*seen_actions(ner, ("PERSON", "ORG", *NEW)), columns(ner)[0]})
    layer = output_layer(nlp.get_pipe("ner").model)
    return {name: layer.get_param(name)[seen] for name in ("W", "b")}


def whole_head(nlp):
    layer = output_layer(nlp.get_pipe("ner").model)
    return {name: layer.get_param(name).copy() for name in ("W", "b")}


@pytest.fixture
def whole_at_once(monkeypatch):
    monkeypatch.setattr(lead, "LEAD_GROWS", 1)


@pytest.mark.parametrize("margin", [0.0, 1.5])
def test_lead_does_not_change_what_is_learnt(base, corpus, margin, whole_at_once):
    """Between updates it is there, in weights and averages, and off while they move."""
    made = []
    for factor in (1.0, 2.0):
        spacy.util.fix_random_seed(0)
        nlp, examples = initialized(base, corpus, column=COPY)
        rehearsal = nlp.get_pipe("rehearsal")
        rehearsal.session.lead, rehearsal.session.margin = factor, margin
        optimizer = Adam(0.01, use_averages=True)
        train(nlp, examples, 3, optimizer)
        layer = output_layer(nlp.get_pipe("ner").model)
        averages = {x: optimizer.averages[layer.id, x] for x in ("W", "b")}
        made.append((nlp.get_pipe("ner"), whole_head(nlp), averages))
    (ner, *plain), (_, *led) = made
    outside, *_ = columns(ner)
    seen = seen_actions(ner, NEW)
    others = [i for i in range(len(action_names(ner))) if i not in seen]
    for learnt, multiplied in zip(plain, led, strict=True):
        for name in ("W", "b"):
            before, after = learnt[name], multiplied[name]
            numpy.testing.assert_array_equal(after[others], before[others])
            wanted = before[outside] + 2 * (before[seen] - before[outside])
            numpy.testing.assert_allclose(after[seen], wanted, rtol=1e-3, atol=1e-4)


def test_lead_is_in_what_is_saved_and_not_before_anything_is_learnt(
    base, corpus, tmp_path
):
    nlp, examples = initialized(base, corpus, column=COPY)
    before = head(nlp)
    create_export_v1()(nlp).to_disk(tmp_path / "untrained")
    untrained = head(spacy.load(tmp_path / "untrained"), like=nlp)
    optimizer = Adam(0.01, use_averages=True)
    train(nlp, examples, 2, optimizer)
    assert nlp.get_pipe("rehearsal").session.lead == LEAD_OF_COPY
    settled = head(nlp)
    nlp.update(examples[:8], sgd=False)  # and is interrupted
    assert (head(nlp)["W"] != settled["W"]).any()
    plain = create_export_v1()(nlp)
    plain.to_disk(tmp_path / "trained")
    saved = head(spacy.load(tmp_path / "trained"), like=nlp)
    for shipped, weights in ((untrained, before), (saved, settled)):
        for name in ("W", "b"):
            numpy.testing.assert_array_equal(shipped[name], weights[name])
    texts = [text for text, _ in make_texts(5, NEW, seed=1)]
    saved = spacy.load(tmp_path / "trained")
    for text in texts:
        ours, theirs = ([e.text for e in x(text).ents] for x in (plain, saved))
        assert ours == theirs


@pytest.mark.filterwarnings("ignore:weights moved before all gradients were in")
def test_lead_is_taken_off_once_in_a_loop_that_leaves_the_component_out(base, corpus):
    nlp, examples = initialized(base, corpus, column=COPY)
    train(nlp, examples, 2, Adam(0.01))
    seen = []
    for _ in range(3):
        nlp.update(examples[:8], sgd=False)
        seen.append(head(nlp)["W"])
        nlp.get_pipe("ner").finish_update(Adam(1e-7))
    numpy.testing.assert_allclose(seen[1], seen[0], atol=1e-4)
    numpy.testing.assert_allclose(seen[2], seen[0], atol=1e-4)


def test_lead_is_not_in_averages_twice_if_an_update_is_interrupted(base, corpus):
    nlp, examples = initialized(base, corpus, column=COPY)
    optimizer = Adam(0.01, use_averages=True)
    train(nlp, examples, 2, optimizer)
    with nlp.use_params(optimizer.averages):
        averages = head(nlp)["W"]
    nlp.update(examples[:8], sgd=False)  # and is interrupted
    with nlp.use_params(optimizer.averages):  # as spaCy saves
        create_export_v1()(nlp)
        numpy.testing.assert_array_equal(head(nlp)["W"], averages)


def test_lead_is_in_what_is_saved_if_the_optimizer_is_interrupted(
    base, corpus, monkeypatch, whole_at_once
):
    nlp, examples = initialized(base, corpus, column=COPY)
    optimizer = Adam(0.01, use_averages=True)
    train(nlp, examples, 2, optimizer)
    before = head(nlp)

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(component, "update_movable", interrupted)
    nlp.update(examples[:8], sgd=False)
    with pytest.raises(KeyboardInterrupt):
        nlp.get_pipe("rehearsal").finish_update(optimizer)
    saved = head(create_export_v1()(nlp))
    for name in ("W", "b"):
        numpy.testing.assert_allclose(saved[name], before[name], rtol=1e-3, atol=1e-4)
