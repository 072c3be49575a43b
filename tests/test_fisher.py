import random
from contextlib import nullcontext
from dataclasses import replace

import numpy
import pytest
import spacy
from spacy.matcher import PhraseMatcher
from thinc.api import Adam, Linear

from spacy_rehearse import fisher
from spacy_rehearse.cache import SilverCache, clear
from spacy_rehearse.fisher import _without_a_trace, estimate_fisher, pack, unpack
from spacy_rehearse.regularizers import (
    Start,
    create_ewc_v1,
    pull_by_fisher,
    remember_start,
)

from .test_component import initialized


def linear(weights):
    model = Linear(nO=len(weights), nI=len(weights[0]))
    model.initialize()
    model.set_param("W", numpy.asarray(weights, dtype="f"))
    return model


def started(weights):
    model = linear(weights)
    return Start(model, {(0, "W"): model.get_param("W").copy()}, {})


def test_fisher_is_the_mean_of_squared_gradients_over_its_own_mean():
    start = started([[1.0, 1.0]])

    def add_gradients(gradient):
        start.model.inc_grad("W", numpy.asarray([gradient], dtype="f"))

    estimate_fisher([start], [[1.0, 0.0], [-1.0, 2.0]], add_gradients)
    # squares: [1, 0] and [1, 4], so 2 and 4, and 3 in the mean
    numpy.testing.assert_allclose(start.fisher[0, "W"], [[2 / 3, 4 / 3]])
    assert not start.model.has_grad("W")


def test_fisher_takes_no_random_number_from_the_training():
    state, drawn = random.getstate(), []
    for error in (None, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt) if error else nullcontext():
            with _without_a_trace([]):
                drawn.append((random.random(), numpy.random.random()))
                if error:
                    raise error
        assert random.getstate() == state
        random.random(), numpy.random.random()  # the training goes on
        state = random.getstate()
    assert drawn[0] == drawn[1]


def test_fisher_ewc_by_hand():
    start = started([[0.0, 0.0, 0.0]])
    start.fisher[0, "W"] = numpy.asarray([[0.0, 1.0, 100.0]], dtype="f")
    start.model.set_param("W", numpy.asarray([[2.0, 2.0, 2.0]], dtype="f"))
    create_ewc_v1(strength=10.0)([start], Adam(0.025))  # a quarter of the way, times F
    numpy.testing.assert_allclose(start.model.get_param("W"), [[2.0, 1.5, 0.0]])


def test_fisher_ewc_leaves_new_rows_free():
    start = started([[0.0]])
    start.fisher[0, "W"] = numpy.ones((1, 1), dtype="f")
    grown = Start(linear([[2.0], [2.0]]), start.weights, start.fisher)
    pull_by_fisher(grown, 1.0)
    numpy.testing.assert_allclose(grown.model.get_param("W"), [[0.0], [2.0]])


def test_fisher_is_estimated_anew_where_silver_teaches_something_else(
    base, corpus, monkeypatch, tmp_path
):
    estimated = []
    monkeypatch.setattr(fisher, "estimate_fisher", lambda *_: estimated.append(1))
    nlp, _ = initialized(base, corpus, column=None)
    session = nlp.get_pipe("rehearsal").session
    store = SilverCache(tmp_path / "cache", {})
    texts = session.heldout[:5]
    other = PhraseMatcher(nlp.vocab, attr="LOWER")
    other.add("mention", [nlp.make_doc(texts[0].text)])
    for mentions, n in [(session.mentions, 1), (session.mentions, 1), (other, 2)]:
        fisher.weigh(nlp, replace(session, mentions=mentions), texts, store)
        assert len(estimated) == n
    assert clear(tmp_path / "cache") == 2 and not (tmp_path / "cache").exists()


def test_fisher_tells_the_model_of_no_action_that_it_has_seen(base, corpus):
    nlp, _ = initialized(base, corpus, column=None)
    model = nlp.get_pipe("ner").model
    session = nlp.get_pipe("rehearsal").session
    before = {*model.attrs["unseen_classes"]}
    session.starts.append(remember_start(nlp.get_pipe("ner")))
    store = SilverCache(None, {})
    for _ in range(2):  # estimated, and found again
        fisher.weigh(nlp, session, session.heldout, store)
        assert model.attrs["unseen_classes"] == before != set()


def test_fisher_is_no_chance(base, corpus, monkeypatch):
    nlp, _ = initialized(base, corpus, column=None)
    session = nlp.get_pipe("rehearsal").session
    session.starts.append(remember_start(nlp.get_pipe("ner")))
    monkeypatch.setattr(fisher, "_without_a_trace", nullcontext)
    made = []
    for seed in (1, 2):
        numpy.random.seed(seed)
        store, texts = SilverCache(None, {}), session.heldout[:5]
        fisher.weigh(nlp, replace(session, soft=0.0), texts, store)
        made.append(dict(session.starts[0].fisher))
    for key, value in made[0].items():
        numpy.testing.assert_allclose(made[1][key], value, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_fisher_is_kept_with_the_silver(base, corpus, tmp_path, monkeypatch):
    regularizers = {"ewc": {"@misc": "spacy-rehearse.EWC.v1", "strength": 1.0}}
    settings = {"column": None, "cache": str(tmp_path / "cache")}
    made = []
    for _ in range(2):
        nlp, _ = initialized(base, corpus, regularizers=regularizers, **settings)
        (start,) = nlp.get_pipe("rehearsal").session.starts
        made.append(start.fisher)
        monkeypatch.setattr(fisher, "estimate_fisher", None)  # not a second time
    first, second = made
    assert first.keys() == second.keys() and len(first) > 10
    for key, value in first.items():
        numpy.testing.assert_array_equal(value, second[key])
    values = numpy.concatenate([value.ravel() for value in first.values()])
    assert values.mean() == pytest.approx(1.0, rel=1e-3) and (values >= 0).all()
    assert values.max() > 10


def test_fisher_packs_and_unpacks():
    start = started([[1.0, 2.0]])
    start.fisher[0, "W"] = numpy.asarray([[0.5, 1.5]], dtype="f")
    other = started([[1.0, 2.0]])
    unpack(pack([start]), [other])
    numpy.testing.assert_array_equal(other.fisher[0, "W"], [[0.5, 1.5]])


@pytest.mark.parametrize(
    "settings", [{"strength": -1.0}, {"strength": 1.0, "n_texts": 0}]
)
def test_fisher_ewc_bad_settings(settings):
    with pytest.raises(ValueError, match="EWC.v1: strength is"):
        create_ewc_v1(**settings)


@pytest.mark.slow
def test_fisher_gradients_are_gone_before_the_training(base, corpus):
    regularizers = {"ewc": {"@misc": "spacy-rehearse.EWC.v1", "strength": 1.0}}
    nlp, _ = initialized(base, corpus, regularizers=regularizers, column=None)
    before = spacy.load(base).get_pipe("ner").model
    model = nlp.get_pipe("ner").model
    assert not any(n.has_grad(p) for n in model.walk() for p in n.param_names)
    for ours, theirs in zip(model.walk(), before.walk(), strict=True):
        for name in theirs.param_names:
            now, then = ours.get_param(name), theirs.get_param(name)
            block = tuple(slice(0, size) for size in then.shape)
            numpy.testing.assert_array_equal(now[block], then)
