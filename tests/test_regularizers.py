import numpy
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from thinc.api import Adam, Linear

from spacy_rehearse.freeze import all_of
from spacy_rehearse.parameters import parameters
from spacy_rehearse.regularizers import (
    EMBEDDING,
    Start,
    create_freeze_v1,
    create_l2sp_v1,
    pull_to_start,
    remember_start,
)

from .util import NER, train_base


def linear(weights):
    model = Linear(nO=len(weights), nI=len(weights[0]))
    model.initialize()
    model.set_param("W", numpy.asarray(weights, dtype="f"))
    return model


def test_regularizers_l2sp_by_hand():
    model = linear([[1.0, 2.0]])
    start = Start(model, {(0, "W"): numpy.asarray([[0.0, 4.0]], dtype="f")}, {})
    create_l2sp_v1(strength=50.0)([start], Adam(0.005))  # a quarter of the way
    numpy.testing.assert_allclose(model.get_param("W"), [[0.75, 2.5]])


@given(rate=st.floats(0, 1))
def test_regularizers_l2sp_never_overshoots(rate):
    model = linear([[1.0, -2.0]])
    start = Start(model, {(0, "W"): numpy.zeros((1, 2), dtype="f")}, {})
    pull_to_start(start, rate)
    now = model.get_param("W")
    assert (abs(now) <= [1.0 + 1e-6, 2.0 + 1e-6]).all()
    assert now[0, 0] >= 0 >= now[0, 1]


@pytest.mark.parametrize("strength", [1e9, 1000.0])
def test_regularizers_l2sp_goes_no_further_than_back(strength):
    model = linear([[1.0, 2.0]])
    start = Start(model, {(0, "W"): numpy.asarray([[0.0, 4.0]], dtype="f")}, {})
    create_l2sp_v1(strength=strength)([start], Adam(0.1))
    numpy.testing.assert_allclose(model.get_param("W"), [[0.0, 4.0]])


def test_regularizers_l2sp_leaves_the_rows_of_new_labels_free(base):
    pipe = spacy.load(base).get_pipe("ner")
    start = remember_start(pipe)
    n_old = pipe.moves.n_moves
    pipe.add_label("GADGET")
    upper = pipe.model.get_ref("upper")
    for node in pipe.model.walk():
        for name in node.param_names:
            node.get_param(name)[:] += 1.0
    grown = upper.get_param("W").copy()
    pull_to_start(start, 1.0)
    numpy.testing.assert_array_equal(upper.get_param("W")[n_old:], grown[n_old:])
    assert len(start.weights) > 10
    for (number, name), before in start.weights.items():
        node = list(pipe.model.walk())[number]
        if node.name != EMBEDDING:
            now = node.get_param(name)[: len(before)]
            numpy.testing.assert_allclose(now, before, atol=1e-6)


def test_regularizers_l2sp_rejects_a_negative_strength():
    with pytest.raises(ValueError, match="strength is -1"):
        create_l2sp_v1(strength=-1)


def test_regularizers_freeze_parts_by_name_and_old_rows(base):
    pipe = spacy.load(base).get_pipe("ner")
    start = remember_start(pipe)
    n_old = pipe.moves.n_moves
    pipe.add_label("GADGET")
    freeze = create_freeze_v1(parts=["embed", "lower"], rows="old")
    movable = freeze([start], Adam(0.1))
    upper, lower = pipe.model.get_ref("upper"), pipe.model.get_ref("lower")
    embed = [node for node in pipe.model.walk() if node.name == EMBEDDING]
    assert all(movable[node.id, "E"] is None for node in embed) and embed
    assert all_of(lower).items() <= movable.items()
    free = movable[upper.id, "W"]
    assert free[n_old:].all() and not free[:n_old].any()
    inside = {node.id for node in pipe.model.get_ref("tok2vec").walk()}
    assert any(key[0] not in inside for key in movable)
    assert not all(node in {key[0] for key in movable} for node in inside)


def test_regularizers_freeze_shared_embeddings_with_what_listens_to_them(shared_base):
    nlp = spacy.load(shared_base)
    pipes = [nlp.get_pipe(name) for name in ("tok2vec", "ner")]
    freeze = create_freeze_v1(parts=["tok2vec"])
    movable = freeze([remember_start(pipe) for pipe in pipes], Adam(0.1))
    assert all_of(pipes[0].model).items() <= movable.items()
    assert not {x.key for x in parameters(pipes[1].model.get_ref("lower"))} & {*movable}


def test_regularizers_freeze_leaves_new_rows_free_without_an_upper_layer(tmp_path):
    config = NER.replace("use_upper = true", "use_upper = false")
    path = train_base(config, tmp_path / "flat", n_updates=1)
    pipe = spacy.load(path).get_pipe("ner")
    start = remember_start(pipe)
    n_old = pipe.moves.n_moves
    pipe.add_label("GADGET")
    freeze = create_freeze_v1(parts=["tok2vec", "lower"], rows="old")
    movable = freeze([start], Adam(0.1))
    free = movable[pipe.model.get_ref("lower").id, "b"]
    assert free[n_old:].all() and not free[:n_old].any()


def test_regularizers_freeze_names_the_layers_that_exist(base):
    start = remember_start(spacy.load(base).get_pipe("ner"))
    with pytest.raises(ValueError, match="'head'.*'embed'.*'lower'.*'tok2vec'"):
        create_freeze_v1(parts=["head"])([start], Adam(0.1))


@pytest.mark.parametrize("settings", [{}, {"rows": "new"}, {"parts": []}])
def test_regularizers_freeze_of_nothing(settings):
    with pytest.raises(ValueError, match="names of layers"):
        create_freeze_v1(**settings)
