"""Listeners: pipes that share a tok2vec or transformer, and hand gradients to it."""

import json
from contextlib import contextmanager
from typing import Any, Iterable, Iterator, List, Sequence

from spacy.language import Language
from spacy.training import Example
from thinc.api import Model


def upstream_of(nlp: Language, component: str) -> List[str]:
    """List the shared embedding pipes that `component` listens to.

    nlp (Language): The pipeline.
    component (str): The name of the pipe.
    RETURNS (List[str]): Their names, in the order of the pipeline.
    """
    return [
        name
        for name, pipe in nlp._components
        if component in getattr(pipe, "listening_components", ())
    ]


def listener_paths(nlp: Language, component: str) -> List[str]:
    """Find where in a component's model config it listens to shared embeddings.

    nlp (Language): The pipeline.
    component (str): The name of the pipe.
    RETURNS (List[str]): Dotted paths, as `replace_listeners` takes them.
    """
    found: List[str] = []

    def walk(section: dict, path: str) -> None:
        if "Listener" in str(section.get("@architectures", "")):
            found.append(path)
        for key, value in section.items():
            if isinstance(value, dict):
                walk(value, f"{path}.{key}")

    walk(nlp.get_pipe_config(component)["model"], "model")
    return found


@contextmanager
def only_listener(
    nlp: Language, upstream: Iterable[str], component: str
) -> Iterator[None]:
    """Make `component` the only one that listens to shared embedding pipes.

    Silver is annotated for `component` alone. Its siblings sit such an update out;
    but a tok2vec waits for its last listener to hand the gradients back.

    nlp (Language): The pipeline.
    upstream (Iterable[str]): The shared embedding pipes.
    component (str): The pipe that learns.
    """
    pipes: List[Any] = [nlp.get_pipe(name) for name in upstream]
    maps = [pipe.listener_map for pipe in pipes]
    try:
        for pipe in pipes:
            pipe.listener_map = {component: pipe.listener_map[component]}
        yield
    finally:
        for pipe, listener_map in zip(pipes, maps, strict=True):
            pipe.listener_map = listener_map


def check_listeners(
    nlp: Language,
    component: str,
    frozen: Sequence[str],
    annotating: Sequence[str],
    gold: Iterable[Example],
) -> None:
    """Raise a ValueError if a shared tok2vec is missing, would not learn, or give no
    vectors.

    spaCy hands the gradient of a shared tok2vec back with its last listener only
    (spacy/pipeline/tok2vec.py, Tok2Vec.update): if that one is frozen, or finds
    nothing to learn from in the gold, the tok2vec stays as it is without a word.

    nlp (Language): The pipeline.
    component (str): The pipe that learns.
    frozen (Sequence[str]): The frozen components.
    annotating (Sequence[str]): The annotating components.
    gold (Iterable[Example]): The gold.
    """
    upstream = upstream_of(nlp, component)
    _check_heard(nlp, component, upstream)
    for name in upstream:
        shared: Any = nlp.get_pipe(name)
        last = shared.listening_components[-1]
        if name in frozen:
            if name not in annotating:
                raise ValueError(
                    f"{component!r} listens to {name!r}, which is frozen and gives it "
                    "nothing to listen to: add it to [training] annotating_components"
                )
        elif last in frozen:
            raise ValueError(
                f"{last!r}, the last component that listens to {name!r}, is frozen: "
                f"{name!r} would then silently learn nothing, though it is not frozen. "
                + _remedy(nlp, component, name)
            )
        elif last != component and not _can_learn(nlp.get_pipe(last), gold):
            raise ValueError(
                f"{last!r}, the last component that listens to {name!r}, finds no "
                f"annotation in the gold: {name!r} would then silently learn nothing. "
                + _remedy(nlp, component, name)
            )


def _check_heard(nlp: Language, component: str, upstream: Sequence[str]) -> None:
    pipes: List[Any] = [nlp.get_pipe(name) for name in upstream]
    heard = [id(x) for pipe in pipes for x in pipe.listener_map[component]]
    model: Any = getattr(nlp.get_pipe(component), "model", None)
    for node in model.walk() if isinstance(model, Model) else ():
        if hasattr(node, "upstream_name") and id(node) not in heard:
            raise ValueError(
                f"{component!r} listens to a shared tok2vec or transformer, which is "
                f"not in [nlp] pipeline {nlp.component_names}: add it before "
                f"{component!r}, with source = ${{paths.base}}. Or give {component!r} "
                f"its own copy: {own_copy(nlp, component)}"
            )


def own_copy(nlp: Language, component: str) -> str:
    """RETURNS (str): The setting by which a component gets its own copy of the shared
    embeddings, and where it belongs.
    """
    paths = json.dumps(listener_paths(nlp, component))
    return f"replace_listeners = {paths} in [components.{component}]"


def _remedy(nlp: Language, component: str, tok2vec: str) -> str:
    return (
        f"Either give {component!r} its own copy ({own_copy(nlp, component)}) and "
        f"freeze {tok2vec!r} with those that listen to it, or freeze {tok2vec!r} and "
        "list it in [training] annotating_components"
    )


def _can_learn(pipe, gold: Iterable[Example]) -> bool:
    moves = getattr(pipe, "moves", None)  # only these skip examples without annotation
    return moves is None or any(moves.has_gold(eg) for eg in gold)


def has_transformer(nlp: Language, component: str) -> bool:
    """RETURNS (bool): Whether a component listens to a transformer."""
    metas = [nlp.get_pipe_meta(name) for name in upstream_of(nlp, component)]
    return any("transformer" in meta.factory for meta in metas)
