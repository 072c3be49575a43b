import numpy
import pytest
from spacy.ml import _precomputable_affine as spacys

from spacy_rehearse.backward import learn_new_units

from .test_column import grown, learn

UNITS, INPUTS = 5, 7  # the old ones


@pytest.fixture
def layer():
    """Old units read no new input, as when a column was added."""
    layer = spacys.PrecomputableAffine(nO=9, nI=11, nF=3, nP=2)
    layer.initialize()
    layer.get_param("W")[:, :UNITS, :, INPUTS:] = 0
    return layer


@pytest.mark.parametrize("n_steps", [1, 3])
def test_backward_gradients_of_new_units_are_spacys_own(layer, n_steps):
    rng = numpy.random.default_rng(0)
    X = rng.normal(size=(6, 11)).astype("f")
    steps = [
        (rng.normal(size=(4, 9, 2)).astype("f"), rng.integers(-1, 6, size=(4, 3)))
        for _ in range(n_steps)
    ]

    def learnt(layer):
        Y, backprop = layer(X, is_train=True)
        dX = [backprop(step) for step in steps]
        return Y, dX, {name: layer.get_grad(name) for name in layer.param_names}

    Y, dX, wanted = learnt(layer.copy())
    learn_new_units(layer, UNITS, INPUTS)
    same_Y, same_dX, found = learnt(layer)
    assert (same_Y == Y).all()
    for ours, theirs in zip(same_dX, dX, strict=True):
        numpy.testing.assert_allclose(ours[..., INPUTS:], theirs[..., INPUTS:], 1e-5)
        assert not ours[..., :INPUTS].any()
    for name, axis in {"W": 1, "b": 0, "pad": 2}.items():
        ours, theirs = (numpy.moveaxis(x[name], axis, 0) for x in (found, wanted))
        numpy.testing.assert_allclose(ours[UNITS:], theirs[UNITS:], rtol=1e-5)
        assert not ours[:UNITS].any()


@pytest.mark.parametrize("changes", [{}, {"copy": True}, {"step_back": True}])
def test_backward_column_learns_what_it_learns_with_spacys_own_pass(base, changes):
    weights = []
    for own in (True, False):
        nlp, movable = grown(base, **changes)
        model = nlp.get_pipe("ner").model
        lower = model.get_ref("lower")
        assert lower._func is not spacys.forward
        if not own:
            lower._func = spacys.forward
        learn(nlp, movable)
        weights.append(
            {
                (i, name): node.get_param(name)
                for i, node in enumerate(model.walk())
                for name in node.param_names
            }
        )
    for key, value in weights[0].items():
        numpy.testing.assert_allclose(value, weights[1][key], rtol=1e-3, atol=1e-4)
