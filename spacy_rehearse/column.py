"""A column: new weights for new labels, beside a network that is frozen.

Progressive networks (Rusu et al. 2016): beside the token vectors of the base stands a
small tok2vec of its own, beside its hidden units stand more of them, and only the
actions of the new labels read these. So old labels keep their scores, on any text,
while new labels also see what the base sees.

Where the base sees one entity in "the Socialist Party", nothing must begin at "the" for
a new label to begin after it. If gold is often so, all actions read the new units.

The result is an ordinary model config: concatenated layers, and a wider hidden layer.
"""

import copy
from functools import partial
from typing import Any, Callable, Collection, Dict, List, Mapping, Sequence

import numpy
from spacy.language import Language
from spacy.util import registry
from thinc.api import Model

from .distillation import action_names
from .freeze import MovableT, all_of
from .listeners import has_transformer, upstream_of
from .margin import label_of
from .teacher import Teacher

DEFAULT_COLUMN = {"width": 48, "depth": 2, "hidden": 24}
ATTRS = ["NORM", "PREFIX", "SUFFIX", "SHAPE"]
ROWS = [5000, 500, 2500, 1000]  # of the table of each: more cost no time
WINDOW = 2  # words to each side that a layer sees: two layers see as far as four of 1
PIECES = 2
CONCATENATE = "concatenate.v1"


def can_grow(nlp: Language, component: str) -> bool:
    """RETURNS (bool): Whether a pipe's model is spaCy's transition-based parser, whose
    parts are known.
    """
    pipe: Any = nlp.get_pipe(component)
    config = nlp.get_pipe_config(component).get("model", {})
    return (
        {"tok2vec", "hidden_width"} <= set(config)
        and {"tok2vec", "lower", "upper"} <= set(pipe.model.ref_names)
        and len(_columns(config)) == len(_layers(pipe.model, config))
    )


def why_no_column(nlp: Language, teacher: Teacher, shared: Sequence[str]) -> str:
    """Find out whether a column can keep the old labels as they are.

    nlp (Language): The student.
    teacher (Teacher): The teacher.
    shared (Sequence[str]): Shared embedding pipes that learn.
    RETURNS (str): Why it can't, or would not help. Empty if it can, and helps.
    RAISES (ValueError): If the student has one already that the teacher lacks.
    """
    component = teacher.component
    if not can_grow(nlp, component):
        return f"{component!r} is no transition-based parser of spaCy's"
    if has_transformer(teacher.nlp, component):
        return f"{component!r} learns with a transformer"
    if shared:
        return (
            f"{', '.join(shared)} would change under it. Add it to [training] "
            "frozen_components and annotating_components, and it stays as it is"
        )
    if n_columns(nlp, component) > n_columns(teacher.nlp, component):
        raise ValueError(
            f"{component!r} has a column already that the teacher lacks: the pipeline "
            "was initialized before. Load the base anew"
        )
    return ""


def n_columns(nlp: Language, component: str) -> int:
    """RETURNS (int): How many columns a pipe has."""
    return len(_columns(nlp.get_pipe_config(component)["model"])) - 1


def _columns(config: Mapping[str, Any]) -> Dict[str, Any]:
    if config["tok2vec"].get("@layers") == CONCATENATE:
        return dict(config["tok2vec"]["*"])
    return {"base": config["tok2vec"]}


def _layers(parser: Model, config: Mapping[str, Any]) -> List[Model]:
    vectors = _token_vectors(parser)
    return vectors.layers if len(_columns(config)) > 1 else [vectors]


def add_column(
    nlp: Language,
    component: str,
    labels: Collection[str],
    *,
    overlaps: bool = False,
    width: int,
    depth: int,
    hidden: int,
) -> MovableT:
    """Let a pipe grow in place, without changing what it says.

    nlp (Language): The pipeline.
    component (str): The entity recogniser. The labels were added to it already.
    labels (Collection[str]): The labels that are to be learnt.
    overlaps (bool): Whether all actions read what is new, so that an old one can step
        back. Then old labels can change.
    width (int): Width of the column's token vectors.
    depth (int): Number of convolutional layers that make them.
    hidden (int): Number of new hidden units.
    RETURNS (MovableT): What may move of the parameters that were there before.
    """
    pipe: Any = nlp.get_pipe(component)
    old, config = pipe.model, nlp._pipe_configs[component]["model"]
    grown = grown_config(config, width=width, depth=depth, hidden=hidden)
    new = registry.resolve({"model": grown})["model"]
    vectors = _token_vectors(new)
    movable: Dict[Any, Any] = {}
    for source, target in zip(_layers(old, config), vectors.layers[:-1], strict=True):
        target.from_bytes(source.to_bytes())
        movable.update(all_of(target))
        _stop_gradients(target)
    vectors.layers[-1].initialize(X=[nlp.make_doc("A text, with 1 number.")])
    vectors.set_dim("nO", sum(layer.get_dim("nO") for layer in vectors.layers))
    names = action_names(pipe)
    learnt = numpy.array([label_of(name) in labels for name in names])
    readers = learnt | overlaps
    movable.update(_grow_head(old, new, learnt, readers))
    new.attrs["unseen_classes"] = set(old.attrs["unseen_classes"])
    pipe.model = new
    nlp._pipe_configs[component]["model"] = grown
    _listen_anew(nlp, component)
    return movable


def grown_config(
    config: Mapping[str, Any], *, width: int, depth: int, hidden: int
) -> Dict[str, Any]:
    """Describe a model with one more column.

    config (Mapping[str, Any]): The [components.NAME.model] block.
    width (int): Width of the column's token vectors.
    depth (int): Number of convolutional layers that make them.
    hidden (int): Number of new hidden units.
    RETURNS (Dict[str, Any]): The new block.
    """
    grown: Dict[str, Any] = copy.deepcopy(dict(config))
    layers = _columns(grown)
    layers[f"column{len(layers)}"] = {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": {
            "@architectures": "spacy.MultiHashEmbed.v2",
            "width": width,
            "attrs": list(ATTRS),
            "rows": list(ROWS),
            "include_static_vectors": False,
        },
        "encode": {
            "@architectures": "spacy.MaxoutWindowEncoder.v2",
            "width": width,
            "window_size": WINDOW,
            "maxout_pieces": PIECES,
            "depth": depth,
        },
    }
    grown["tok2vec"] = {"@layers": CONCATENATE, "*": layers}
    grown["hidden_width"] += hidden
    return grown


def _token_vectors(parser: Model) -> Model:
    return parser.get_ref("tok2vec").layers[0]


def _stop_gradients(model: Model) -> None:
    """Let a frozen model only predict: nothing is dropped, nothing goes back."""
    model._func = partial(_predict, model._func)


def _predict(forward: Callable, model: Model, X: Any, is_train: bool):
    # A listener has nothing to drop, and misses vectors only while it trains.
    Y, _ = forward(model, X, is_train and "listener" in model.name)
    return Y, lambda dY: []


def _grow_head(old: Model, new: Model, learnt: Any, readers: Any) -> MovableT:
    """Copy what is above the token vectors into a larger model.

    old (Model): The parser model.
    new (Model): The larger one.
    learnt (numpy.ndarray): Which actions are to be learnt.
    readers (numpy.ndarray): Which actions read what is new.
    RETURNS (MovableT): What may move.
    """
    linear = new.get_ref("tok2vec").layers[-1]
    linear.set_dim("nI", _token_vectors(new).get_dim("nO"))
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


# Along which axis of a layer's parameters its outputs are.
OUTPUT_AXES = {
    "linear": {"W": 0, "b": 0},
    "precomputable_affine": {"W": 1, "b": 0, "pad": 2},
}


def _copy_into(larger: Any, smaller: Any, axis: int) -> Any:
    """Put old weights where they were. Old outputs read nothing new."""
    old_outputs = [slice(None)] * larger.ndim
    old_outputs[axis] = slice(0, smaller.shape[axis])
    larger[tuple(old_outputs)] = 0
    larger[tuple(slice(0, size) for size in smaller.shape)] = smaller
    return larger


def _listen_anew(nlp: Language, component: str) -> None:
    """Connect the new model with the shared embeddings that the old one listened to."""
    for name in upstream_of(nlp, component):
        shared: Any = nlp.get_pipe(name)
        for listener in list(shared.listener_map[component]):
            shared.remove_listener(listener, component)
        shared.find_listeners(nlp.get_pipe(component))
