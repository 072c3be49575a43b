import numpy
import pytest
from thinc.api import SGD, Linear, chain

from spacy_rehearse.discriminative import create_discriminative_v1


def two_layers():
    model = chain(Linear(1, 1), Linear(1, 1))
    first, second = model.layers
    model.set_ref("tok2vec", first)
    model.set_ref("upper", second)
    for layer in model.layers:
        layer.initialize()
        layer.set_param("W", numpy.ones((1, 1), dtype="f"))
        layer.inc_grad("W", numpy.ones((1, 1), dtype="f"))
    return model


def moved(model):
    return [1 - float(layer.get_param("W")[0, 0]) for layer in model.layers]


def test_discriminative_each_layer_has_its_own_rate():
    model = two_layers()
    optimizer = create_discriminative_v1(
        optimizer=SGD(0.2), multipliers={"tok2vec": 0.25}
    )
    optimizer.bind([model])
    model.finish_update(optimizer)
    assert moved(model) == pytest.approx([0.05, 0.2])
    assert optimizer.learn_rate == 0.2


def test_discriminative_keeps_settings_and_schedules_of_what_it_wraps():
    inner = SGD([0.2, 0.1], L2=0.0, use_averages=True)
    optimizer = create_discriminative_v1(optimizer=inner, multipliers={"upper": 0.0})
    model = two_layers()
    optimizer.bind([model])
    optimizer.step_schedules()
    model.finish_update(optimizer)
    assert moved(model) == pytest.approx([0.1, 0.0])
    assert len(optimizer.averages) == 2


def test_discriminative_names_the_layers_that_exist():
    optimizer = create_discriminative_v1(optimizer=SGD(0.1), multipliers={"head": 2.0})
    with pytest.raises(ValueError, match="no layer is called 'head'.*tok2vec.*upper"):
        optimizer.bind([two_layers()])


def test_discriminative_needs_the_component():
    optimizer = create_discriminative_v1(optimizer=SGD(0.1), multipliers={"a": 2.0})
    with pytest.raises(ValueError, match="needs the component"):
        two_layers().finish_update(optimizer)


@pytest.mark.parametrize("multipliers", [{}, {"tok2vec": -1.0}])
def test_discriminative_bad_multipliers(multipliers):
    with pytest.raises(ValueError, match="multipliers is"):
        create_discriminative_v1(optimizer=SGD(0.1), multipliers=multipliers)
