import numpy
import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st
from spacy.tokens import Doc
from spacy.training import Example

from spacy_rehearse.distillation import (
    SCALE,
    action_names,
    shared_actions,
    soft_gradient,
    update_softly,
)

from .util import NER, make_docs, train_base


@given(seed=st.integers(0, 50))
def test_distillation_gradient_is_that_of_the_cross_entropy_when_hot(seed):
    rng = numpy.random.default_rng(seed)
    ours, theirs = rng.normal(size=(2, 3, 5)).astype("d")

    def cross_entropy(scores, temperature=1e3):
        hot = scores / temperature
        log_p = hot - numpy.log(numpy.exp(hot).sum(axis=1, keepdims=True))
        wanted = numpy.exp(theirs / temperature)
        wanted /= wanted.sum(axis=1, keepdims=True)
        return -(temperature**2) * (wanted * log_p).sum()

    step = 1e-2
    for i, j in [(0, 0), (1, 3), (2, 4)]:
        up, down = ours.copy(), ours.copy()
        up[i, j] += step
        down[i, j] -= step
        expected = (cross_entropy(up) - cross_entropy(down)) / (2 * step)
        found = soft_gradient(ours, theirs)[i, j] / (SCALE * 5)
        assert found == pytest.approx(expected, abs=1e-3)


def test_distillation_says_nothing_of_new_and_of_corrected_labels(base):
    student, teacher = spacy.load(base), spacy.load(base)
    student.get_pipe("ner").add_label("GADGET")
    pipes = student.get_pipe("ner"), teacher.get_pipe("ner")
    ours, theirs = shared_actions(*pipes, ("GADGET", "ORG"))
    names = [action_names(pipes[0])[i] for i in ours]
    assert names == [action_names(pipes[1])[i] for i in theirs]
    assert "O" in names and "B-PERSON" in names
    assert not [name for name in names if "GADGET" in name or "ORG" in name]


def gradients(student, teacher, examples, weight, hard=1.0):
    pipe, tutor = student.get_pipe("ner"), teacher.get_pipe("ner")
    docs = [Doc(teacher.vocab, words=[t.text for t in eg.x]) for eg in examples]
    losses = {"ner": 0.0}
    spacy.util.fix_random_seed(0)
    update_softly(
        pipe,
        tutor,
        examples,
        docs,
        weight=weight,
        hard=hard,
        authority=(),
        losses=losses,
    )
    found = {
        (i, name): node.get_grad(name).copy()
        for i, node in enumerate(pipe.model.walk())
        for name in node.grad_names
    }
    for node in pipe.model.walk():
        node._params._grads.clear()
    return found, losses["ner"]


def make_pair(base):
    student, teacher = spacy.load(base), spacy.load(base)
    docs = make_docs(student, 6, ("PERSON", "ORG"), seed=9)
    return student, teacher, [Example(student.make_doc(d.text), d) for d in docs]


@pytest.fixture
def pair(base):
    return make_pair(base)


def test_distillation_weight_zero_is_spacys_own_update(tmp_path):
    # With an upper layer, spaCy's step model drops a tenth of its input at random.
    config = NER.replace("use_upper = true", "use_upper = false")
    student, teacher, examples = make_pair(train_base(config, tmp_path, n_updates=20))
    ours, loss = gradients(student, teacher, examples, weight=0.0)
    losses = {}
    spacy.util.fix_random_seed(0)
    ner = student.get_pipe("ner")
    ner.update(examples, losses=losses)
    assert loss == pytest.approx(losses["ner"])
    for (i, name), grad in ours.items():
        theirs = list(ner.model.walk())[i].get_grad(name)
        numpy.testing.assert_allclose(grad, theirs, rtol=1e-4, atol=1e-5)


def test_distillation_adds_nothing_while_student_and_teacher_agree(base):
    hard, _ = gradients(*make_pair(base), weight=0.0)
    both, _ = gradients(*make_pair(base), weight=5.0)
    for key, grad in hard.items():
        numpy.testing.assert_allclose(both[key], grad, rtol=1e-3, atol=1e-4)


def test_distillation_draws_the_student_back(pair):
    student, teacher, examples = pair
    bias = student.get_pipe("ner").model.get_ref("upper").get_param("b")
    column = action_names(student.get_pipe("ner")).index("B-ORG")
    bias[column] += 2.0
    key = next(k for k, g in gradients(*pair, weight=1.0)[0].items() if k[1] == "b"
               and g.shape == bias.shape)  # fmt: skip
    hard, soft = (gradients(*pair, weight=w)[0][key][column] for w in (0.0, 1.0))
    assert soft > hard  # a positive gradient lowers the score that was raised
