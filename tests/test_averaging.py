import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from thinc.api import Adam, Linear

from spacy_rehearse.averaging import longer_averages, start_averages
from spacy_rehearse.freeze import update_movable

from .test_component import initialized

gradients = st.lists(st.floats(-2, 2).map(numpy.float32), min_size=1, max_size=20)


@given(gradients)
def test_averages_count_each_update_by_its_number(gradients):
    model, optimizer = Linear(1, 1), Adam(0.1, use_averages=True)
    model.initialize()
    way = [model.get_param("W").copy()]
    start_averages([model], optimizer.averages)
    for number, gradient in enumerate(gradients, start=1):
        model.inc_grad("W", numpy.full((1, 1), gradient))
        with longer_averages([model], optimizer.averages, number):
            update_movable(model, optimizer, {})
        way.append(model.get_param("W").copy())
    weights = numpy.arange(1, len(way) + 1)
    expected = numpy.average(numpy.asarray(way).ravel(), weights=weights)
    average = optimizer.averages[model.id, "W"].item()
    assert average == pytest.approx(expected, abs=1e-4)


def test_averages_of_frozen_weights_are_the_weights():
    model, optimizer = Linear(2, 1), Adam(0.1, L2=0.1, use_averages=True)
    model.initialize()
    before = model.get_param("W").copy()
    start_averages([model], optimizer.averages)
    movable = {(model.id, "W"): numpy.array([[True], [False]]), (model.id, "b"): None}
    for number in (1, 2, 3):
        for name in model.param_names:
            model.inc_grad(name, numpy.ones_like(model.get_param(name)))
        with longer_averages([model], optimizer.averages, number):
            update_movable(model, optimizer, movable)
    average = optimizer.averages[model.id, "W"]
    assert average[1] == before[1] and average[0] != before[0]
    assert (optimizer.averages[model.id, "b"] == model.get_param("b")).all()


def test_averages_that_are_not_kept_are_not_made():
    model, optimizer = Linear(1, 1), Adam(0.1, use_averages=False)
    model.initialize()
    model.inc_grad("W", numpy.ones((1, 1), dtype="f"))
    start_averages([model], optimizer.averages)
    with longer_averages([model], optimizer.averages, 1):
        update_movable(model, optimizer, {})
    assert optimizer.averages is None


@pytest.mark.parametrize(
    "scarce, column, ratio, longer",
    [
        (True, {}, 1.0, True),
        (False, {}, 1.0, False),
        (True, {"step_back": True}, 1.0, False),
        (True, {}, 0.0, False),
    ],
)
def test_averages_are_longer_beside_a_column_where_gold_is_scarce(
    base, corpus, monkeypatch, scarce, column, ratio, longer
):
    monkeypatch.setattr("spacy_rehearse.fitting.FEW_ENTITIES", 1000 if scarce else 0)
    nlp, examples = initialized(base, corpus, ratio=ratio, column=column)
    nlp.get_pipe("rehearsal").session.lead = 1.0  # it is in weights and averages alike
    optimizer = Adam(0.01, use_averages=True)
    layer = nlp.get_pipe("ner").model.get_ref("upper")
    way = []
    for _ in range(4):
        way.append(layer.get_param("W").copy())
        nlp.update(examples, sgd=False)
        for _, pipe in nlp.pipeline:
            pipe.finish_update(optimizer)
    way.append(layer.get_param("W").copy())
    expected = numpy.average(way, axis=0, weights=[1, 2, 3, 4, 5])
    average = optimizer.averages[layer.id, "W"]
    assert numpy.allclose(average, expected, atol=1e-5) == longer
