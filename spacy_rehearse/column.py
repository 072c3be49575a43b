"""A column: new weights for new labels, on top of a network that is frozen.

Progressive networks (Rusu et al. 2016): a small tok2vec of its own reads the token
vectors of the base, and the embeddings that those are made of, beside new embeddings of
the words; more hidden units stand beside those of the base, and only the actions of the
new labels read these. So old labels keep their scores, on any text, while new labels
build on what the base sees.

Where the base sees one entity in "the Socialist Party", nothing must begin at "the" for
a new label to begin after it. If gold is often so, all actions read the new units.

Where gold is small, the column is a copy of the base's first network, which learns:
what fine-tuning makes of pretrained weights, new ones don't learn from a few hundred
entities.

The result is an ordinary model config (column_config.py): layers of spaCy and Thinc,
and a wider hidden layer.
"""

from typing import Any, Collection, Dict, Tuple

import numpy
from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import registry
from thinc.api import Config, Model

from .backward import learn_new_units, stop_gradients
from .column_config import copied_config, embed_and_encode, grown_config
from .distillation import action_names, label_of
from .first_network import FirstNetwork, first_network
from .freeze import MovableT, all_of
from .layers import OUTPUT_AXES
from .listeners import upstream_of
from .parameters import old_part

DEFAULT_COLUMN = {
    "copy": None,
    "width": None,
    "depth": None,
    "hidden": None,
    "step_back": None,
}
SIZES = ("width", "depth", "hidden")  # of a new one; a copy has the base's


def add_column(
    nlp: Language,
    component: str,
    labels: Collection[str],
    *,
    step_back: bool = False,
    copy: bool = False,
    **shape: int,
) -> MovableT:
    """Let a pipe grow in place, without changing what it says.

    nlp (Language): The pipeline.
    component (str): The entity recogniser. The labels were added to it already.
    labels (Collection[str]): The labels that are to be learnt.
    step_back (bool): Whether all actions read what is new, so that an old one can step
        back. Then old labels can change.
    copy (bool): Whether the column is a copy of the base, without columns of its own.
        Else, it is new, and small.
    **shape (int): If it is new, its `width` (of its token vectors, and its embeddings
        of words), its `depth` (number of convolutional layers), and `hidden`, the
        number of new hidden units.
    RETURNS (MovableT): What may move of the parameters that were there before.
    """
    pipe: Any = nlp.get_pipe(component)
    old = pipe.model
    config = Config(nlp.config).interpolate()["components"][component]["model"]
    if copy:
        first = first_network(nlp, component)
        new, grown, movable = _beside_a_copy(old, config, first)
    else:
        new, grown, movable = _beside_a_new_one(nlp, old, config, shape)
    names = action_names(pipe)
    learnt = numpy.array([label_of(name) in labels for name in names])
    readers = learnt | step_back
    movable.update(_grow_head(old, new, learnt, readers))
    if copy:
        _copy_hidden(old, new, first)
    if new.attrs["has_upper"]:  # else, `lower` makes the scores
        lower = old.get_ref("lower")
        sizes = lower.get_dim("nO"), lower.get_dim("nI")
        learn_new_units(new.get_ref("lower"), *sizes)
    new.attrs["unseen_classes"] = set(old.attrs["unseen_classes"])
    pipe.model = new
    nlp._pipe_configs[component]["model"] = grown
    _listen_anew(nlp, component)
    return movable


def _beside_a_new_one(
    nlp: Language, old: Model, config: Dict[str, Any], shape: Dict[str, int]
) -> Tuple[Model, Dict[str, Any], Dict[Any, Any]]:
    """RETURNS (Tuple[Model, Dict, Dict]): A parser with a new column up to its token
    vectors, its config, and what may move.
    """
    grown = grown_config(config, **shape)
    new = registry.resolve({"model": grown})["model"]
    doc = nlp.make_doc("A text, with 1 number.")
    inputs, column = token_vectors(new).layers
    base, words = inputs.layers
    n_read = _width(old) + shape["width"]
    if embed_and_encode(config["tok2vec"]):
        n_read += _copy_parts(token_vectors(old), base, doc)
    else:
        base.from_bytes(token_vectors(old).to_bytes())
    stop_gradients(base)
    words.initialize(X=[doc])
    column.layers[0].layers[1].initialize(X=new.ops.alloc2f(1, n_read))
    new.get_ref("tok2vec").layers[-1].set_dim("nI", n_read + shape["width"])
    return new, grown, dict(all_of(base))


def _beside_a_copy(
    old: Model, config: Dict[str, Any], first: FirstNetwork
) -> Tuple[Model, Dict[str, Any], Dict[Any, Any]]:
    """RETURNS (Tuple[Model, Dict, Dict]): The same, with a copy for a column."""
    grown = copied_config(config, first.tok2vec, first.n_units)
    new = registry.resolve({"model": grown})["model"]
    base, copied = token_vectors(new).layers[0].layers
    base.from_bytes(token_vectors(old).to_bytes())
    targets = copied.layers if len(first.layers) > 1 else [copied]
    for source, target in zip(first.layers, targets, strict=True):
        target.from_bytes(source.to_bytes())
    stop_gradients(base)
    new.get_ref("tok2vec").layers[-1].set_dim("nI", _width(old) + first.width)
    return new, grown, dict(all_of(base))


def token_vectors(parser: Model) -> Model:
    """RETURNS (Model): What makes the token vectors that a parser reads."""
    return parser.get_ref("tok2vec").layers[0]


def _width(parser: Model) -> int:
    """RETURNS (int): Width of the token vectors that a parser reads."""
    return parser.get_ref("tok2vec").layers[-1].get_dim("nI")


def _copy_parts(old: Model, base: Model, doc: Doc) -> int:
    """Copy a tok2vec's weights into one that hands its embeddings on, too.

    old (Model): The tok2vec.
    base (Model): The other.
    doc (Doc): Any.
    RETURNS (int): Width of the embeddings.
    """
    embed, both = base.layers
    encode = both.layers[0].layers[0]
    # Not by name: a tok2vec that replace_listeners has copied lost the names.
    their_embed, their_encode = old.layers
    embed.from_bytes(their_embed.to_bytes())
    encode.from_bytes(their_encode.to_bytes())
    base.set_ref("embed", embed)  # as in spaCy's own: settings may name them
    base.set_ref("encode", encode)
    (embedded,) = embed.predict([doc])
    return embedded.shape[1]


def _grow_head(old: Model, new: Model, learnt: Any, readers: Any) -> MovableT:
    """Copy what is above the token vectors into a larger model.

    old (Model): The parser model.
    new (Model): The larger one.
    learnt (numpy.ndarray): Which actions are to be learnt.
    readers (numpy.ndarray): Which actions read what is new.
    RETURNS (MovableT): What may move.
    """
    linear = new.get_ref("tok2vec").layers[-1]
    lower, upper = new.get_ref("lower"), new.get_ref("upper")
    pairs = [(old.get_ref("tok2vec").layers[-1], linear), (old.get_ref("lower"), lower)]
    if new.attrs["has_upper"]:
        upper.set_dim("nO", len(learnt))
        upper.set_dim("nI", lower.get_dim("nO"))
        pairs.append((old.get_ref("upper"), upper))
    else:
        lower.set_dim("nO", len(learnt))
    movable: Dict[Any, Any] = {}
    for source, target in pairs:
        target.initialize()
        is_free = learnt  # of the last layer; else, what is new
        if target is not pairs[-1][1]:
            is_free = numpy.arange(target.get_dim("nO")) >= source.get_dim("nO")
        for name, axis in OUTPUT_AXES[target.name].items():
            value = _copy_into(target.get_param(name), source.get_param(name), axis)
            target.set_param(name, value)
            free = numpy.moveaxis(numpy.zeros(value.shape, dtype=bool), axis, 0)
            free[is_free] = True
            if name == "W" and target is pairs[-1][1]:
                free[readers, ..., source.get_dim("nI") :] = True  # what it has gained
            free = numpy.moveaxis(free, 0, axis)
            movable[target.id, name] = target.ops.xp.asarray(free)
    return movable


def _copy_hidden(old: Model, new: Model, first: FirstNetwork) -> None:
    """Let the new hidden units start as the first network's, on top of the copy."""
    layers = [(x.get_ref("tok2vec").layers[-1], x.get_ref("lower")) for x in (old, new)]
    n_copied = 2 if new.attrs["has_upper"] else 1  # else, `lower` makes the scores
    n_inputs = first.width
    for source, target in list(zip(*layers, strict=True))[:n_copied]:
        for name, axis in OUTPUT_AXES[target.name].items():
            larger, whole = target.get_param(name), source.get_param(name)
            its = [slice(None)] * whole.ndim
            its[axis] = slice(first.n_units)
            if name == "W":
                its[-1] = slice(n_inputs)
            smaller = whole[tuple(its)]
            new_outputs = [slice(None)] * larger.ndim
            new_outputs[axis] = slice(whole.shape[axis], None)
            larger[tuple(new_outputs)] = 0
            sizes = zip(larger.shape, smaller.shape, strict=True)
            larger[tuple(slice(x - y, None) for x, y in sizes)] = smaller
        n_inputs = first.n_units


def _copy_into(larger: Any, smaller: Any, axis: int) -> Any:
    """Put old weights where they were. Old outputs read nothing new."""
    old_outputs = [slice(None)] * larger.ndim
    old_outputs[axis] = slice(0, smaller.shape[axis])
    larger[tuple(old_outputs)] = 0
    old_part(larger, smaller)[...] = smaller
    return larger


def _listen_anew(nlp: Language, component: str) -> None:
    """Connect the new model with the shared embeddings that the old one listened to."""
    for name in upstream_of(nlp, component):
        shared: Any = nlp.get_pipe(name)
        for listener in list(shared.listener_map[component]):
            shared.remove_listener(listener, component)
        shared.find_listeners(nlp.get_pipe(component))
