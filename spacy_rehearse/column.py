"""A column: new weights for new labels, on top of a network that is frozen.

Progressive networks (Rusu et al. 2016): a small tok2vec of its own reads the token
vectors of the base beside new embeddings of the words, more hidden units stand beside
those of the base, and only the actions of the new labels read these. So old labels keep
their scores, on any text, while new labels build on what the base sees.

Where the base sees one entity in "the Socialist Party", nothing must begin at "the" for
a new label to begin after it. If gold is often so, all actions read the new units.

The result is an ordinary model config: layers of spaCy and Thinc, and a wider hidden
layer.
"""

import copy
from functools import partial
from typing import Any, Callable, Collection, Dict, Mapping, Sequence

import numpy
from spacy.language import Language
from spacy.util import registry
from thinc.api import Config, Model

from .distillation import action_names, label_of
from .freeze import MovableT, all_of
from .listeners import has_transformer, own_copy, upstream_of
from .parameters import old_part
from .teacher import Teacher

DEFAULT_COLUMN = {"width": None, "depth": 2, "hidden": None, "step_back": None}
# What words are embedded by, and rows of the table of each: more cost no time. All of
# it follows from ORTH, so that each word of a batch is embedded once. NORM does not: a
# token may have one of its own.
ROWS = {"LOWER": 5000, "PREFIX": 500, "SUFFIX": 2500, "SHAPE": 1000}
WINDOW = 2  # words to each side that a layer sees: two layers see as far as four of 1
PIECES, PIECES_OF_WORDS = 2, 3
# Names of layers in the config of a column's token vectors.
INPUTS, COLUMN, BASE, WORDS = "inputs", "column", "base", "words"


def can_grow(nlp: Language, component: str) -> bool:
    """RETURNS (bool): Whether a pipe's model is spaCy's transition-based parser, whose
    parts are known.
    """
    pipe: Any = nlp.get_pipe(component)
    config = nlp.get_pipe_config(component).get("model", {})
    return {"tok2vec", "hidden_width"} <= set(config) and (
        {"tok2vec", "lower", "upper"} <= set(pipe.model.ref_names)
    )


def why_no_column(nlp: Language, teacher: Teacher, shared: Sequence[str]) -> str:
    """Find out whether a column can keep the old labels as they are.

    nlp (Language): The student.
    teacher (Teacher): The teacher.
    shared (Sequence[str]): Shared embedding pipes that learn.
    RETURNS (str): Why it can't, or would not help. Empty if it can, and helps.
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
    return ""


def check_columns(nlp: Language, teacher: Teacher) -> None:
    """Raise a ValueError if the student's config tells of other columns than the
    teacher's.

    nlp (Language): The student.
    teacher (Teacher): The teacher.
    """
    component = teacher.component
    if not (can_grow(nlp, component) and can_grow(teacher.nlp, component)):
        return
    ours, theirs = n_columns(nlp, component), n_columns(teacher.nlp, component)
    if ours > theirs:
        raise ValueError(
            f"{component!r} has a column already that the teacher lacks: the pipeline "
            "was initialized before. Load the base anew"
        )
    if ours < theirs:  # spaCy puts the tok2vec's config in place of the whole column's
        raise ValueError(
            f"{component!r} of the base has a column, and replace_listeners takes it "
            "out of the config, but not out of the model: what is saved could not be "
            "loaded. Take replace_listeners out, or name the place where the column "
            f"listens: {own_copy(teacher.nlp, component)}. `init-config` does that"
        )


def n_columns(nlp: Language, component: str) -> int:
    """RETURNS (int): How many columns a pipe has, one on top of the other."""
    tok2vec, n = nlp.get_pipe_config(component)["model"]["tok2vec"], 0
    while {INPUTS, COLUMN} == set(tok2vec.get("*", ())):
        tok2vec, n = tok2vec["*"][INPUTS]["*"][BASE], n + 1
    return n


def add_column(
    nlp: Language,
    component: str,
    labels: Collection[str],
    *,
    step_back: bool = False,
    width: int,
    depth: int,
    hidden: int,
) -> MovableT:
    """Let a pipe grow in place, without changing what it says.

    nlp (Language): The pipeline.
    component (str): The entity recogniser. The labels were added to it already.
    labels (Collection[str]): The labels that are to be learnt.
    step_back (bool): Whether all actions read what is new, so that an old one can step
        back. Then old labels can change.
    width (int): Width of the column's token vectors, and of its embeddings of words.
    depth (int): Number of convolutional layers that make them.
    hidden (int): Number of new hidden units.
    RETURNS (MovableT): What may move of the parameters that were there before.
    """
    pipe: Any = nlp.get_pipe(component)
    old = pipe.model
    config = Config(nlp.config).interpolate()["components"][component]["model"]
    grown = grown_config(config, width=width, depth=depth, hidden=hidden)
    new = registry.resolve({"model": grown})["model"]
    n_base, base = _width(old), _frozen_base(old, new)
    movable: Dict[Any, Any] = dict(all_of(base))
    _initialize_column(new, n_base, nlp)
    new.get_ref("tok2vec").layers[-1].set_dim("nI", n_base + 2 * width)
    names = action_names(pipe)
    learnt = numpy.array([label_of(name) in labels for name in names])
    readers = learnt | step_back
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
    encode = {
        "@architectures": "spacy.MaxoutWindowEncoder.v2",
        "width": width,
        "window_size": WINDOW,
        "maxout_pieces": PIECES,
        "depth": depth,
    }
    # What is read goes on beside what is made of it. It is a layer that does nothing,
    # but has to be given one.
    same = {"@layers": "noop.v1", "*": {"unused": {"@layers": "list2array.v1"}}}
    new = _layers("chain.v1", mix=_mix(width, PIECES), encode=encode)
    beside = _layers("concatenate.v1", same=same, new=new)
    words = _embedded_words(width)
    inputs = _layers("concatenate.v1", **{BASE: grown["tok2vec"], WORDS: words})
    column = {"@layers": "with_array.v1", "layer": beside, "pad": WINDOW * depth}
    grown["tok2vec"] = _layers("chain.v1", **{INPUTS: inputs, COLUMN: column})
    grown["hidden_width"] += hidden
    return grown


def _embedded_words(width: int) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): spaCy's MultiHashEmbed, but that each word of a batch
    is embedded once.
    """
    tables = {
        attr.lower(): {
            "@layers": "HashEmbed.v1",
            "nO": width,
            "nV": rows,
            "column": column,
            "seed": column,
            "dropout": 0.0,
        }
        for column, (attr, rows) in enumerate(ROWS.items(), start=1)
    }
    embed = _layers("concatenate.v1", **tables)
    by_word = {
        "@layers": "uniqued.v1",
        "column": 0,
        "layer": _layers("chain.v1", embed=embed, mix=_mix(width, PIECES_OF_WORDS)),
    }
    return _layers(
        "chain.v1",
        features={"@layers": "spacy.FeatureExtractor.v1", "columns": ["ORTH", *ROWS]},
        flat={"@layers": "list2ragged.v1"},
        words={"@layers": "with_array.v1", "layer": by_word},
        by_text={"@layers": "ragged2list.v1"},
    )


def _mix(width: int, pieces: int) -> Dict[str, Any]:
    return {
        "@layers": "Maxout.v1",
        "nO": width,
        "nP": pieces,
        "normalize": True,
        "dropout": 0.0,
    }


def _layers(combinator: str, **layers: Mapping[str, Any]) -> Dict[str, Any]:
    return {"@layers": combinator, "*": layers}


def _token_vectors(parser: Model) -> Model:
    return parser.get_ref("tok2vec").layers[0]


def _width(parser: Model) -> int:
    """RETURNS (int): Width of the token vectors that a parser reads."""
    return parser.get_ref("tok2vec").layers[-1].get_dim("nI")


def _frozen_base(old: Model, new: Model) -> Model:
    """RETURNS (Model): The layer of a larger parser that makes the old one's token
    vectors, with its weights. Nothing goes back through it.
    """
    inputs, _ = _token_vectors(new).layers
    base = inputs.layers[0]
    base.from_bytes(_token_vectors(old).to_bytes())
    _stop_gradients(base)
    return base


def _initialize_column(new: Model, n_base: int, nlp: Language) -> None:
    inputs, column = _token_vectors(new).layers
    words = inputs.layers[1]
    words.initialize(X=[nlp.make_doc("A text, with 1 number.")])
    (beside,) = column.layers
    n_read = n_base + words.get_dim("nO")
    beside.layers[1].initialize(X=new.ops.alloc2f(1, n_read))


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
    old_part(larger, smaller)[...] = smaller
    return larger


def _listen_anew(nlp: Language, component: str) -> None:
    """Connect the new model with the shared embeddings that the old one listened to."""
    for name in upstream_of(nlp, component):
        shared: Any = nlp.get_pipe(name)
        for listener in list(shared.listener_map[component]):
            shared.remove_listener(listener, component)
        shared.find_listeners(nlp.get_pipe(component))
