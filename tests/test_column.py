import copy
import pickle

import numpy
import pytest
import spacy
from spacy.tokens import Span
from spacy.training import Example
from spacy.util import registry
from thinc.api import Adam, Config, concatenate, fix_random_seed, set_dropout_rate

from spacy_rehearse.column import add_column
from spacy_rehearse.column_config import (
    copied_config,
    embed_and_encode,
    grown_config,
    n_columns,
)
from spacy_rehearse.column_fit import can_grow, check_copy, copy_fits
from spacy_rehearse.first_network import first_network
from spacy_rehearse.freeze import update_movable
from spacy_rehearse.teacher import load_teacher

from .util import make_docs, make_texts

COLUMN = {"width": 8, "depth": 1, "hidden": 4}
NEW = ("GADGET",)


def grown(path, **changes):
    fix_random_seed(0)
    nlp = spacy.load(path)
    nlp.get_pipe("ner").add_label("GADGET")
    return nlp, add_column(nlp, "ner", NEW, **{**COLUMN, **changes})


def scores(nlp, texts):
    """What the recogniser thinks of each action in its first state."""
    ner = nlp.get_pipe("ner")
    docs = [nlp.make_doc(text) for text in texts]
    for name in nlp.pipe_names[: nlp.pipe_names.index("ner")]:
        docs = list(nlp.get_pipe(name).pipe(docs))
    ner.model.attrs["unseen_classes"].clear()  # spaCy hides actions never trained
    step = ner.model.predict(docs)
    return step.predict(ner.moves.init_batch(docs))


def learn(nlp, movable, n_updates=3, labels=NEW):
    ner, optimizer = nlp.get_pipe("ner"), Adam(0.05, use_averages=True, L2=0.1)
    gold = make_docs(nlp, 20, NEW, seed=3)
    for doc in gold:
        doc.ents = [Span(doc, e.start, e.end, label=labels[0]) for e in doc.ents]
    examples = [Example(nlp.make_doc(d.text), d) for d in gold]
    for eg in examples:
        for name in nlp.pipe_names[: nlp.pipe_names.index("ner")]:
            nlp.get_pipe(name)(eg.predicted)
    for _ in range(n_updates):
        ner.update(examples, drop=0.1)
        update_movable(ner.model, optimizer, movable)


def trained_as_one(nlp, path):
    """The pipeline after a training in which all of its weights have moved."""
    nlp.to_disk(path)
    nlp = spacy.load(path)
    gold = make_docs(nlp, 20, NEW, seed=3)
    nlp.update([Example(nlp.make_doc(d.text), d) for d in gold], sgd=Adam(0.05))
    return nlp


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("fixture", ["base", "shared_base", "vectors_base"])
def test_column_old_scores_are_the_bases_before_and_after_learning(
    fixture, copy, request
):
    path = request.getfixturevalue(fixture)
    nlp, movable = grown(path, copy=copy)
    texts = [text for text, _ in make_texts(30, NEW, seed=9)]
    before = scores(spacy.load(path), texts)
    n_old = before.shape[1]
    for moves in (False, True):
        now = scores(nlp, texts)
        numpy.testing.assert_allclose(now[:, :n_old], before, rtol=1e-4, atol=1e-4)
        assert now[:, n_old:].any() == moves
        learn(nlp, movable)


@pytest.mark.parametrize("copies", [[0], [1], [0, 1], [1, 0]])
@pytest.mark.parametrize("fixture", ["base", "shared_base"])
def test_column_is_an_ordinary_config_that_saves_loads_and_trains_on(
    fixture, copies, request, tmp_path
):
    nlp = spacy.load(request.getfixturevalue(fixture))
    nlp.get_pipe("ner").add_label("GADGET")
    for is_copy in copies:
        movable = add_column(nlp, "ner", NEW, copy=bool(is_copy), **COLUMN)
        learn(nlp, movable)
    nlp.to_disk(tmp_path / "out")
    assert "rehears" not in (tmp_path / "out" / "config.cfg").read_text()
    loaded = spacy.load(tmp_path / "out")
    text = "Mister Ana bought the device Acme"
    assert (scores(loaded, [text]) == scores(nlp, [text])).all()
    gold = make_docs(loaded, 5, ("GADGET",), seed=1)
    examples = [Example(loaded.make_doc(d.text), d) for d in gold]
    loaded.update(examples, sgd=loaded.resume_training(), drop=0.1)


@pytest.mark.parametrize("copy, then", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("fixture", ["base", "shared_base"])
def test_column_a_second_one_stands_on_the_first(fixture, copy, then, request):
    nlp, movable = grown(request.getfixturevalue(fixture), copy=bool(copy))
    learn(nlp, movable)
    text = ["Mister Ana bought the device Acme"]
    before = scores(nlp, text)
    nlp.get_pipe("ner").add_label("CITY")
    movable = add_column(nlp, "ner", ("CITY",), copy=bool(then), **COLUMN)
    assert n_columns(nlp.get_pipe_config("ner")["model"]) == 2
    for moves in (False, True):
        after = scores(nlp, text)
        old, new = after[:, : before.shape[1]], after[:, before.shape[1] :]
        numpy.testing.assert_allclose(old, before, rtol=1e-4, atol=1e-4)
        assert new.any() == moves
        learn(nlp, movable, labels=("CITY",))


@pytest.mark.parametrize("fixture", ["base", "shared_base", "vectors_base"])
def test_column_copy_starts_as_the_base(fixture, request):
    path = request.getfixturevalue(fixture)
    nlp, movable = grown(path, copy=True)
    ner = nlp.get_pipe("ner")
    doc = nlp.make_doc("Mister Ana bought the device Acme")
    for name in nlp.pipe_names[: nlp.pipe_names.index("ner")]:
        nlp.get_pipe(name)(doc)
    read = ner.model.get_ref("tok2vec").predict([doc])
    units = ner.model.get_ref("lower").predict(read)
    for made, axis in ((read, 1), (units, 2)):
        old, new = numpy.split(made, 2, axis=axis)
        numpy.testing.assert_allclose(new, old, rtol=1e-4, atol=1e-5)
    learn(nlp, movable)
    old, new = numpy.split(ner.model.get_ref("tok2vec").predict([doc]), 2, axis=1)
    assert abs(old - new).max() > 1e-3


@pytest.mark.parametrize("copies", [[0], [1], [1, 0], [0, 1], [1, 1]])
@pytest.mark.parametrize("fixture", ["base", "shared_base", "vectors_base"])
def test_column_copy_is_one_of_the_first_network_beside_columns(
    fixture, copies, request
):
    path = request.getfixturevalue(fixture)
    nlp = spacy.load(path)
    doc = nlp.make_doc("Mister Ana bought the device Acme")
    for name in nlp.pipe_names[: nlp.pipe_names.index("ner")]:
        nlp.get_pipe(name)(doc)
    ner = nlp.get_pipe("ner")
    read = ner.model.get_ref("tok2vec").predict([doc])
    units = ner.model.get_ref("lower").predict(read)
    size = read.shape[1]
    for n, is_copy in enumerate(copies):
        ner.add_label(f"NEW{n}")
        movable = add_column(nlp, "ner", [f"NEW{n}"], copy=bool(is_copy), **COLUMN)
        learn(nlp, movable, labels=[f"NEW{n}"])
        assert first_network(nlp, "ner").n_units == size
    ner.add_label("LAST")
    add_column(nlp, "ner", ["LAST"], copy=True)
    now = ner.model.get_ref("tok2vec").predict([doc])
    numpy.testing.assert_allclose(now[:, -size:], read, rtol=1e-4, atol=1e-5)
    now = ner.model.get_ref("lower").predict(now)[:, :, -size:]
    numpy.testing.assert_allclose(now, units, rtol=1e-4, atol=1e-5)


def test_column_is_a_copy_where_there_is_a_first_network_of_its_own(
    base, shared_base, tmp_path
):
    assert copy_fits(spacy.load(base), "ner")
    assert not copy_fits(spacy.load(shared_base), "ner")
    for copies in (False, True):
        nlp, _ = grown(base, copy=copies)
        assert copy_fits(nlp, "ner")
        assert not copy_fits(trained_as_one(nlp, tmp_path / "out"), "ner")


MISH = """
[model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "ner"
extra_state_tokens = false
hidden_width = 16
maxout_pieces = 2
use_upper = true
nO = null

[model.tok2vec]
@architectures = "spacy.Tok2Vec.v2"

[model.tok2vec.embed]
@architectures = "spacy.MultiHashEmbed.v2"
width = 16
attrs = ["NORM"]
rows = [100]
include_static_vectors = false

[model.tok2vec.encode]
@architectures = "spacy.MishWindowEncoder.v2"
width = 16
window_size = 1
depth = 1
"""


def test_column_may_be_a_copy_of_whatever_encodes():
    nlp = spacy.blank("en")
    ner = nlp.add_pipe("ner", config=Config().from_str(MISH))
    ner.add_label("PERSON")
    nlp.initialize()
    assert copy_fits(nlp, "ner")
    before = scores(nlp, "Mister Ana")
    ner.add_label("GADGET")
    add_column(nlp, "ner", ["GADGET"], copy=True)
    after = scores(nlp, "Mister Ana")[:, : before.shape[1]]
    numpy.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-5)


def test_column_is_no_copy_of_a_network_that_reads_columns_above(base):
    nlp, _ = grown(base, copy=True)
    n = first_network(nlp, "ner").n_units
    nlp.get_pipe("ner").model.get_ref("lower").get_param("W")[0, 0, 0, n] = 0.1
    assert not copy_fits(nlp, "ner")


def test_column_is_not_for_a_concatenation():
    """Thinc would merge it with the column's own."""
    nlp = spacy.blank("en")
    config = Config().from_str(MISH)
    tok2vec = {"@layers": "concatenate.v1", "*": {"a": CNN, "b": CNN}}
    config["model"]["tok2vec"] = tok2vec
    nlp.add_pipe("ner", config=config).add_label("PERSON")
    nlp.initialize()
    assert not can_grow(nlp, "ner")


def test_column_is_not_for_a_concatenation_that_an_architecture_makes():
    @registry.architectures("tests.Two.v1")
    def two(width: int):
        made = registry.resolve({"it": {**CNN, "width": width}})["it"]
        return concatenate(made, made.copy())

    nlp = spacy.blank("en")
    config = Config().from_str(MISH)
    config["model"]["tok2vec"] = {"@architectures": "tests.Two.v1", "width": 16}
    nlp.add_pipe("ner", config=config).add_label("PERSON")
    nlp.initialize()
    assert not can_grow(nlp, "ner")


def test_column_is_no_copy_of_what_pytorch_runs(base):
    nlp = spacy.load(base)
    nlp.get_pipe("ner").model.get_ref("tok2vec").layers[0].shims.append(object())
    assert not copy_fits(nlp, "ner")


@pytest.mark.parametrize("fixture", ["base", "vectors_base"])
def test_column_reads_token_vectors_and_embeddings_of_the_base(fixture, request):
    nlp, _ = grown(request.getfixturevalue(fixture))
    old = spacy.load(request.getfixturevalue(fixture)).get_pipe("ner").model
    theirs = old.get_ref("tok2vec").layers[0]
    doc = nlp.make_doc("Mister Ana bought the device Acme")
    read = inputs_of(nlp).predict([doc])[0][:, : -COLUMN["width"]]
    ((vectors,), (embedded,)) = (
        layer.predict([doc]) for layer in (theirs, theirs.get_ref("embed"))
    )
    numpy.testing.assert_array_equal(read, numpy.hstack([vectors, embedded]))


def test_column_reads_embeddings_of_a_copy_that_replace_listeners_made(shared_base):
    """Such a copy lacks thinc's references to its layers."""
    nlp = spacy.load(shared_base)
    nlp.replace_listeners("tok2vec", "ner", ["model.tok2vec"])
    text = ["Mister Ana bought the device Acme"]
    before = scores(nlp, text)
    nlp.get_pipe("ner").add_label("GADGET")
    add_column(nlp, "ner", NEW, **COLUMN)
    after = scores(nlp, text)[:, : before.shape[1]]
    numpy.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)
    (read,) = inputs_of(nlp).predict([nlp.make_doc(*text)])
    assert read.shape[1] == 32 + 32 + COLUMN["width"]


def inputs_of(nlp):
    return nlp.get_pipe("ner").model.get_ref("tok2vec").layers[0].layers[0]


def test_column_embeds_a_word_as_it_is_whatever_else_is_in_the_batch(base):
    """In "can't", "ca" has the norm "can", elsewhere its own."""
    nlp, movable = grown(base)
    learn(nlp, movable)
    texts = ["Ana can't buy Acme, Acme", "ACME and acme of Ca, ca and ca", "Acme", ""]
    together = [doc.tolist() for doc in _words(nlp, texts)]
    alone = [_words(nlp, [text])[0].tolist() for text in texts]
    assert [len(doc) for doc in together] == [len(nlp.make_doc(x)) for x in texts]
    for one, other in zip(together, alone, strict=True):
        numpy.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def _words(nlp, texts):
    return inputs_of(nlp).layers[1].predict([nlp.make_doc(text) for text in texts])


def test_column_frees_the_actions_of_a_label_that_is_corrected(base):
    nlp = spacy.load(base)
    movable = add_column(nlp, "ner", ("ORG",), **COLUMN)
    ner = nlp.get_pipe("ner")
    upper = ner.model.get_ref("upper")
    free = movable[upper.id, "b"]
    names = [ner.moves.get_class_name(i) for i in range(ner.moves.n_moves)]
    assert [name for name, is_free in zip(names, free, strict=True) if is_free] == [
        name for name in names if name.endswith("-ORG")
    ]


@pytest.mark.parametrize("upper", [True, False])
def test_column_lets_old_actions_step_back_where_they_hide_the_new(tmp_path, upper):
    nlp = spacy.blank("xx")
    ner = nlp.add_pipe("ner", config={"model": {"use_upper": upper}})
    ner.add_label("ORG")
    nlp.initialize()
    nlp.to_disk(tmp_path / "base")
    texts = ["Acme and others", "the Zoomer"]
    before = scores(nlp, texts)
    ner.add_label("GADGET")
    movable = add_column(nlp, "ner", NEW, step_back=True, **COLUMN)
    n_old = before.shape[1]
    now = scores(nlp, texts)[:, :n_old]
    numpy.testing.assert_allclose(now, before, rtol=1e-4, atol=1e-4)
    learn(nlp, movable)
    moved = abs(scores(nlp, texts)[:, :n_old] - before).max(axis=0) > 1e-3
    names = [ner.moves.get_class_name(i) for i in range(n_old)]
    assert {"O", "B-ORG"} <= {x for x, has in zip(names, moved, strict=True) if has}


@pytest.mark.parametrize("copy", [False, True])
def test_column_without_an_upper_layer(tmp_path, copy):
    nlp = spacy.blank("xx")
    ner = nlp.add_pipe("ner", config={"model": {"use_upper": False}})
    ner.add_label("ORG")
    nlp.initialize()
    nlp.to_disk(tmp_path / "base")
    before = scores(nlp, ["Acme and others"])
    ner.add_label("GADGET")
    add_column(nlp, "ner", NEW, copy=copy, **COLUMN)
    after = scores(nlp, ["Acme and others"])[:, : before.shape[1]]
    numpy.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)
    nlp.to_disk(tmp_path / "out")
    numpy.testing.assert_array_equal(
        scores(spacy.load(tmp_path / "out"), ["Acme"]), scores(nlp, ["Acme"])
    )


CNN = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    "width": 8,
    "depth": 2,
    "embed_size": 100,
    "window_size": 1,
    "maxout_pieces": 3,
    "subword_features": True,
    "pretrained_vectors": None,
}
ENCODE = {"@architectures": "spacy.MaxoutWindowEncoder.v2", "width": 8, "depth": 2}
ENCODE.update(window_size=1, maxout_pieces=3)
LISTENER = {"@architectures": "spacy.Tok2VecListener.v1", "width": 8}


@pytest.mark.parametrize("depth, words", [(1, 3), (2, 4), (3, 6)])
def test_column_sees_enough_words_to_each_side(depth, words):
    grown = grown_config(
        {"tok2vec": CNN, "hidden_width": 9}, width=8, depth=depth, hidden=4
    )
    column = grown["tok2vec"]["*"]["column"]
    encode = column["layer"]["*"]["new"]["*"]["encode"]
    assert encode["window_size"] * encode["depth"] == words == column["pad"]


def test_column_config_is_a_copy():
    config = {"tok2vec": CNN, "hidden_width": 9}
    before = copy.deepcopy(config)
    new = grown_config(config, **COLUMN)
    assert config == before and new["hidden_width"] == 13
    copied = copied_config(config, CNN, 9)
    assert config == before and copied["hidden_width"] == 18
    assert [n_columns(x) for x in (config, new, copied)] == [0, 1, 1]
    assert n_columns(grown_config(copied, **COLUMN)) == 2


@pytest.mark.parametrize(
    "changes", [{}, {"subword_features": False}, {"pretrained_vectors": True}]
)
def test_column_takes_a_tok2vec_apart_into_the_layers_that_spacy_makes_of_it(changes):
    config = {**CNN, **changes}
    embed, encode = embed_and_encode(config)
    assert encode == ENCODE
    parts = {"@architectures": "spacy.Tok2Vec.v2", "embed": embed, "encode": encode}
    assert embed_and_encode(parts) == (embed, encode)
    one, other = (registry.resolve({"model": x})["model"] for x in (config, parts))
    assert [(x.name, x.attrs) for x in one.walk()] == [
        (x.name, x.attrs) for x in other.walk()
    ]


def test_column_leaves_a_tok2vec_whole_whose_parts_it_does_not_know():
    lstm = {"@architectures": "spacy.TorchBiLSTMEncoder.v1", "width": 8, "depth": 1}
    other = {"@architectures": "spacy.Tok2Vec.v2", "embed": {}, "encode": lstm}
    layer = {**other, "encode": {"@layers": "own.v1"}}
    column = grown_config({"tok2vec": CNN, "hidden_width": 9}, **COLUMN)["tok2vec"]
    for tok2vec in (LISTENER, other, layer, {**CNN, "maxout_pieces": 1}, column):
        assert embed_and_encode(tok2vec) is None
        new = grown_config({"tok2vec": tok2vec, "hidden_width": 9}, **COLUMN)
        assert new["tok2vec"]["*"]["inputs"]["*"]["base"] == tok2vec


def test_column_only_where_the_layers_are_known(base):
    nlp = spacy.load(base)
    nlp.add_pipe("spancat")
    assert can_grow(nlp, "ner") and not can_grow(nlp, "spancat")


def test_column_can_be_pickled_for_worker_processes(base):
    nlp, movable = grown(base)
    learn(nlp, movable)
    pipe = pickle.loads(pickle.dumps(nlp.get_pipe("ner")))
    doc = nlp.make_doc("Mister Ana bought the device Acme")
    assert (
        pipe.model.predict([doc]).tokvecs
        == nlp.get_pipe("ner").model.predict([doc]).tokvecs
    ).all()


def test_column_drops_nothing_of_an_earlier_one_beside_a_listener(shared_base):
    nlp, _ = grown(shared_base)
    ner = nlp.get_pipe("ner")
    ner.add_label("CITY")
    add_column(nlp, "ner", ("CITY",), **COLUMN)
    first = ner.model.get_ref("tok2vec").layers[0].layers[0].layers[0]
    doc = nlp.get_pipe("tok2vec")(nlp.make_doc("Mister Ana bought the device Acme"))
    set_dropout_rate(nlp.get_pipe("tok2vec").model, 0.0)
    nlp.get_pipe("tok2vec").update([Example(doc, doc)], sgd=None)  # for the listener
    set_dropout_rate(ner.model, 0.5)
    (dropped,), _ = first([doc], is_train=True)
    (whole,) = first.predict([doc])
    numpy.testing.assert_allclose(dropped, whole, rtol=1e-4, atol=1e-5)


def test_column_that_cant_be_a_copy_is_refused(base, tmp_path):
    nlp, _ = grown(base)
    nlp.to_disk(tmp_path / "grown")
    check_copy(load_teacher(str(tmp_path / "grown"), "ner"), {"copy": True})
    trained_as_one(nlp, tmp_path / "grown").to_disk(tmp_path / "trained_on")
    for path, settings, words in [
        (tmp_path / "trained_on", {"copy": True}, "all weights of 'ner'"),
        (base, {"copy": True, "width": 64}, "{'width': 64} are given, too"),
        (base, {"copy": True, "depth": 4}, "{'depth': 4} are given, too"),
    ]:
        with pytest.raises(ValueError, match=words):
            check_copy(load_teacher(str(path), "ner"), settings)
        check_copy(load_teacher(str(path), "ner"), {**settings, "copy": None})


def test_column_beside_a_listener_misses_vectors_as_spacy_does(shared_base):
    nlp, _ = grown(shared_base)
    (doc,) = make_docs(nlp, 1, NEW, seed=3)
    example = Example(nlp.make_doc(doc.text), doc)
    with pytest.raises(ValueError, match="E203"):
        nlp.get_pipe("ner").update([example])
