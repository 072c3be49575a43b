import numpy
from hypothesis import given
from hypothesis import strategies as st
from thinc.api import SGD, Adam, Linear, chain

from spacy_rehearse.freeze import update_movable


def model_with_gradients():
    model = chain(Linear(2, 3), Linear(2, 2))
    model.initialize()
    for node in model.layers:
        for name in node.param_names:
            node.set_param(name, numpy.ones_like(node.get_param(name)))
            node.inc_grad(name, numpy.ones_like(node.get_param(name)))
    return model


def adam():
    """With all that moves a weight without a gradient."""
    return Adam(0.1, L2=0.1, L2_is_weight_decay=True, use_averages=True, grad_clip=1.0)


def params(model):
    return {(n.id, p): n.get_param(p).copy() for n in model.layers for p in ("W", "b")}


def test_freeze_keeps_what_is_frozen_and_moves_the_rest():
    model, optimizer = model_with_gradients(), adam()
    first, second = model.layers
    row = numpy.asarray([[False] * 3, [True] * 3])
    movable = {(first.id, "W"): row, (second.id, "b"): None}
    update_movable(model, optimizer, movable)
    assert (first.get_param("W")[0] == 1).all() and (first.get_param("W")[1] < 1).all()
    assert (second.get_param("b") == 1).all()
    assert (first.get_param("b") < 1).all() and (second.get_param("W") < 1).all()
    assert (optimizer.averages[first.id, "W"][0] == 1).all()


def test_freeze_takes_any_optimizer_that_thinc_takes():
    model, plain = model_with_gradients(), SGD(0.1)
    first = model.layers[0]
    row = numpy.asarray([[False] * 3, [True] * 3])
    update_movable(model, lambda *given, **more: plain(*given), {(first.id, "W"): row})
    assert (first.get_param("W")[0] == 1).all() and (first.get_param("W")[1] < 1).all()


def test_freeze_leaves_no_gradient_for_another_update():
    model, optimizer = model_with_gradients(), adam()
    update_movable(model, optimizer, {})
    before = params(model)
    model.finish_update(optimizer)
    assert all((before[key] == value).all() for key, value in params(model).items())


def test_freeze_gradients_of_frozen_weights_do_not_count_when_clipped():
    model = Linear(2, 1)
    model.initialize()
    model.set_param("W", numpy.zeros((2, 1), dtype="f"))
    model.inc_grad("W", numpy.asarray([[1000.0], [0.5]], dtype="f"))
    movable = {(model.id, "W"): numpy.array([[False], [True]])}
    update_movable(model, SGD(0.1, grad_clip=1.0), movable)
    numpy.testing.assert_allclose(model.get_param("W"), [[0.0], [-0.05]])


@given(st.lists(st.booleans(), min_size=6, max_size=6), st.integers(1, 4))
def test_freeze_any_part_for_any_number_of_updates(bits, n_updates):
    model, optimizer = model_with_gradients(), adam()
    first = model.layers[0]
    free = numpy.asarray(bits).reshape(2, 3)
    for _ in range(n_updates):
        first.inc_grad("W", numpy.ones((2, 3), dtype="f"))
        update_movable(model, optimizer, {(first.id, "W"): free})
    assert ((first.get_param("W") == 1) == ~free).all()
