"""The teacher: the frozen original pipeline, loaded with its own vocab."""

import json
from contextlib import contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

import spacy
import srsly
from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import is_package
from thinc.api import ConfigValidationError, Model, get_current_ops

from .listeners import upstream_of

Entity = Tuple[int, int, str]  # start and end in characters, label
BATCH_SIZE = 256  # texts
FIRST_SYMBOL = "IS_ALPHA"  # of spaCy's own words, by number
NO_FACTORY = "[E002]"  # in spaCy's error


class Teacher(NamedTuple):
    """A loaded pipeline, and which of its pipes label text.

    nlp (Language): The pipeline.
    component (str): The pipe whose entities are wanted.
    pipes (Tuple[str, ...]): That pipe and those it can't do without, in order.
    labels (Tuple[str, ...]): The labels it knows.
    fingerprint (str): Changes whenever its output may change, but for the code of what
        is registered (parity.py notices that).
    weights (str): Digest of its weights, the same with any version of spaCy.
    """

    nlp: Language
    component: str
    pipes: Tuple[str, ...]
    labels: Tuple[str, ...]
    fingerprint: str
    weights: str

    def corrected(self, labels: Iterable[str]) -> Set[str]:
        """RETURNS (Set[str]): Of labels to be learnt, those that it knows already."""
        return {*labels} & {*self.labels}

    @property
    def name(self) -> str:
        return f"{self.nlp.meta['lang']}_{self.nlp.meta['name']}"


def load_teacher(
    source: str,
    component: str,
    annotating: Sequence[str] = (),
    max_length: int = 0,
    setting: str = "`teacher` in [initialize.components.rehearsal]",
) -> Teacher:
    """Load a pipeline as the teacher, with a vocab of its own.

    source (str): A package name or a path.
    component (str): The name of its entity recogniser.
    annotating (Sequence[str]): Pipes whose annotation the recogniser needs, beside
        those by which it was trained.
    max_length (int): Characters of the longest text that it must take, where that is
        more than its own nlp.max_length.
    setting (str): Where it was named.
    RETURNS (Teacher): The teacher.
    RAISES (ValueError): If it can't be loaded, lacks the component, or if that is
        not an entity recogniser.
    """
    nlp = load_pipeline(source, "teacher", setting)
    remove_rehearsal(nlp)
    check_recogniser(nlp, component, f"teacher {str(source)!r}")
    nlp.max_length = max(nlp.max_length, max_length)
    needed = [*annotating, *annotators_of(nlp, component)]
    pipes = tuple(required_pipes(nlp, component, needed))
    for name in set(pipes) & set(nlp.disabled):
        nlp.enable_pipe(name)
    recogniser: Any = nlp.get_pipe(component)
    labels = tuple(sorted(recogniser.labels))
    parts = fingerprint_parts(nlp, pipes)
    fingerprint = _digest(json.dumps(parts))
    return Teacher(nlp, component, pipes, labels, fingerprint, parts["weights"])


def remove_rehearsal(nlp: Language) -> None:
    """Take the rehearsal out of a base that was saved without the export, in place."""
    for name in nlp.component_names:
        if nlp.get_pipe_meta(name).factory == "rehearsal":
            nlp.remove_pipe(name)


def load_pipeline(source: str, whose: str, setting: str) -> Language:
    """Load a pipeline, with a vocab of its own.

    source (str): A package name or a path.
    whose (str): What to call it in the error.
    setting (str): Where it was named.
    RETURNS (Language): The pipeline.
    RAISES (ValueError): If there is none of that name, or it can't be loaded.
    """
    try:
        # Never vocab=nlp.vocab: it would overwrite the student's vectors.
        return spacy.load(source)
    except ConfigValidationError as e:
        title = f"the config of the {whose} {str(source)!r} ({setting}) is damaged"
        raise ConfigValidationError.from_error(e, title=title) from e
    except ValueError as e:
        if NO_FACTORY not in str(e):
            raise
        what = str(e).partition(". ")[0]
        raise ValueError(
            f"the {whose} {str(source)!r} ({setting}) needs a package that is not "
            f"installed, or code of your own (--code): {what}. 'transformer' is in "
            "spacy-transformers, 'curated_transformer' in spacy-curated-transformers"
        ) from e
    except ImportError as e:  # of a tokenizer, say
        raise ValueError(
            f"the {whose} {str(source)!r} ({setting}) needs a package that is not "
            f"installed: {e}"
        ) from e
    except OSError as e:
        if (best := Path(source) / "model-best").exists():
            raise ValueError(
                f"{str(source)!r} is the output of a training: set {setting} to {best}"
            ) from e
        if is_package(source) or (Path(source) / "meta.json").exists():
            raise ValueError(
                f"the {whose} {str(source)!r} ({setting}) can't be loaded: {e}"
            ) from e
        if Path(source).is_dir():
            raise ValueError(
                f"the folder {str(source)!r} ({setting}) holds no pipeline: it has no "
                "meta.json"
            ) from e
        raise ValueError(
            f"can't find the {whose} {str(source)!r}: set {setting} to an installed "
            "package (see `python -m spacy download`) or to the folder of a saved "
            "pipeline"
        ) from e


def check_recogniser(nlp: Language, component: str, whose: str) -> None:
    """Raise a ValueError unless `component` is a trainable entity recogniser.

    nlp (Language): The pipeline.
    component (str): The name of the pipe.
    whose (str): What to call the pipeline in the error.
    """
    if component not in nlp.component_names:
        if not any(_is_recogniser(nlp, name) for name in nlp.component_names):
            raise ValueError(
                f"{whose} has no entity recogniser: its components are "
                f"{nlp.component_names}"
            )
        raise ValueError(
            f"{whose} has no component {component!r}, only {nlp.component_names}: "
            "name its entity recogniser as `component` in [components.rehearsal], or "
            "with --component"
        )
    if not _is_recogniser(nlp, component):
        factory = nlp.get_pipe_meta(component).factory
        raise ValueError(
            f"component {component!r} of {whose} is a {factory!r}, not a "
            "trainable entity recogniser: rehearsal works on pipes that set doc.ents, "
            "such as 'ner' and 'beam_ner'"
        )


def _is_recogniser(nlp: Language, name: str) -> bool:
    is_trainable = getattr(nlp.get_pipe(name), "is_trainable", False)
    return sets_entities(nlp, name) and is_trainable


def sets_entities(nlp: Language, name: str) -> bool:
    """RETURNS (bool): Whether a pipe sets doc.ents, as far as it tells. A span_ruler
    does if it is asked to, and tells of doc.spans alone.
    """
    pipe = nlp.get_pipe(name)
    assigned = nlp.get_pipe_meta(name).assigns
    return "doc.ents" in assigned or getattr(pipe, "annotate_ents", False)


def labels_before(nlp: Language, component: str) -> List[str]:
    """List the labels of entities that pipes set before `component` runs.

    nlp (Language): The pipeline.
    component (str): The name of the pipe.
    RETURNS (List[str]): The labels, as far as these pipes tell: a function does not.
    """
    before = nlp.component_names[: nlp.component_names.index(component)]
    found = {
        label
        for name in before
        if sets_entities(nlp, name)
        for label in _labels(nlp.get_pipe(name))
    }
    return sorted(found)


def _labels(pipe: Any) -> List[str]:
    """RETURNS (List[str]): A pipe's labels. A function has none."""
    return list(getattr(pipe, "labels", ()))


def required_pipes(
    nlp: Language, component: str, annotating: Iterable[str] = ()
) -> List[str]:
    """List the pipes that must run for `component` to predict.

    nlp (Language): The pipeline.
    component (str): The name of the pipe.
    annotating (Iterable[str]): Further pipes that set annotation it needs.
    RETURNS (List[str]): Their names, in the order of the pipeline, disabled ones
        included: the annotating ones that stand before it, what these and it listen to
        (a shared tok2vec or transformer), and itself.
    """
    before = nlp.component_names[: nlp.component_names.index(component)]
    running = {component, *annotating} & {component, *before}
    listened = {x for name in running for x in upstream_of(nlp, name)}
    return [n for n in before if n in listened or n in running] + [component]


def annotators_of(nlp: Language, component: str) -> List[str]:
    """List the pipes whose annotation a recogniser has read when it was trained.

    nlp (Language): The pipeline.
    component (str): The name of the recogniser.
    RETURNS (List[str]): The annotating components of its own config that stand before
        it, and what they listen to, but for those that it alone listens to, and that
        set entities themselves.
    """
    told = nlp.config.get("training", {}).get("annotating_components", [])
    listened = upstream_of(nlp, component)
    annotators = [
        name
        for name in required_pipes(nlp, component, told)[:-1]
        if name in told and name not in listened and not sets_entities(nlp, name)
    ]
    needed = {*annotators, *(x for name in annotators for x in upstream_of(nlp, name))}
    return [name for name in nlp.component_names if name in needed]


def run_pipes(
    nlp: Language,
    pipes: Sequence[str],
    texts: Iterable[str],
    batch_size: int = BATCH_SIZE,
) -> Iterator[Doc]:
    """Run only the named pipes. Call it inside `zone(nlp)`.

    nlp (Language): The pipeline.
    pipes (Sequence[str]): The pipes to run. They must not be disabled.
    texts (Iterable[str]): The texts.
    batch_size (int): Number of texts that go through them at once.
    YIELDS (Doc): The docs, in the order of the texts.
    """
    idle = [name for name in nlp.pipe_names if name not in pipes]
    yield from nlp.pipe(texts, disable=idle, batch_size=batch_size)


def annotate_docs(
    nlp: Language, pipes: Sequence[str], docs: Iterable[Doc]
) -> List[Doc]:
    """Let pipes annotate docs, disabled ones too.

    nlp (Language): The pipeline.
    pipes (Sequence[str]): The pipes, in order.
    docs (Iterable[Doc]): Docs in its vocab.
    RETURNS (List[Doc]): The docs.
    """
    for name in pipes:
        pipe: Any = nlp.get_pipe(name)
        docs = pipe.pipe(docs) if hasattr(pipe, "pipe") else map(pipe, docs)
    return list(docs)


def predict_entities(
    nlp: Language, pipes: Sequence[str], texts: Iterable[str]
) -> List[Tuple[Entity, ...]]:
    """Predict the entities of texts, leaving no word of theirs in the vocab.

    nlp (Language): The pipeline.
    pipes (Sequence[str]): The pipes to run, the recogniser last, disabled ones too.
    texts (Iterable[str]): The texts.
    RETURNS (List[Tuple[Entity, ...]]): The entities of each text, with offsets in
        characters.
    """
    with _enabled(nlp, pipes), zone(nlp):
        return [as_entities(doc.ents) for doc in run_pipes(nlp, pipes, texts)]


@contextmanager
def _enabled(nlp: Language, pipes: Sequence[str]) -> Iterator[None]:
    """Enable pipes for a while."""
    disabled = [name for name in pipes if name in nlp.disabled]
    for name in disabled:
        nlp.enable_pipe(name)
    try:
        yield
    finally:
        for name in disabled:
            nlp.disable_pipe(name)


def overlaps(entity: Entity, others: Iterable[Entity]) -> bool:
    """RETURNS (bool): Whether an entity shares a character with one of the others."""
    return any(start < entity[1] and entity[0] < end for start, end, _ in others)


# Takes texts and what they are called, and shows how far it is while they are read.
ProgressT = Callable[[Sequence[str], str], Iterable[str]]


def no_progress(texts: Sequence[str], what: str) -> Iterable[str]:
    """RETURNS (Iterable[str]): The texts. Nothing is shown."""
    return texts


def as_entities(spans: Iterable[Span]) -> Tuple[Entity, ...]:
    """RETURNS (Tuple[Entity, ...]): Spans by character offsets."""
    return tuple((span.start_char, span.end_char, span.label_) for span in spans)


@contextmanager
def zone(nlp: Language) -> Iterator[None]:
    """Open a memory zone, which can't be nested: nothing if the vocab is in one
    already.

    In spaCy before 3.8.13 a zone that an error or Ctrl-C leaves is never closed, and
    the words that were in it are saved with the pipeline. So it ends first.

    spaCy can't forget its first symbol at the end: the next zone that meets it would
    read what was freed. So that is known before.

    nlp (Language): The pipeline.
    """
    vocab: Any = nlp.vocab
    vocab[FIRST_SYMBOL]
    error: Optional[BaseException] = None
    with nullcontext() if vocab.in_memory_zone else nlp.memory_zone():
        try:
            yield
        except BaseException as e:
            error = e
    if error is not None:
        raise error


def fingerprint_parts(nlp: Language, pipes: Sequence[str]) -> Dict[str, str]:
    """Digest all that the pipes' output depends on.

    nlp (Language): The pipeline.
    pipes (Sequence[str]): The pipes.
    RETURNS (Dict[str, str]): A SHA-256 digest each for weights, labels, settings,
        tokenizer, vectors and lookups, and spaCy's version.
    """
    components: List[Tuple[str, Any]] = [(name, nlp.get_pipe(name)) for name in pipes]
    weights = [d for _, p in components for d in parameter_digests(p)]
    settings = {name: [nlp.get_pipe_config(name), _cfg(p)] for name, p in components}
    return {
        "weights": _digest(json.dumps(weights)),
        "labels": _digest(json.dumps([_labels(p) for _, p in components])),
        "settings": _digest(json.dumps(settings, sort_keys=True)),
        "tokenizer": tokenizer_digest(nlp),
        "vectors": vectors_digest(nlp),
        "lookups": lookups_digest(nlp),
        "spacy": spacy.__version__,
    }


def parameter_digests(pipe) -> List[str]:
    """RETURNS (List[str]): A digest of each parameter of the pipe's model."""
    model = getattr(pipe, "model", None)
    if not isinstance(model, Model):
        to_bytes = getattr(pipe, "to_bytes", None)
        return [_digest(to_bytes(exclude=["vocab"]))] if to_bytes else []
    digests = []
    for node in model.walk():
        for name in node.param_names:
            if node.has_param(name):
                array = node.ops.to_numpy(node.get_param(name))
                digests.append(_digest(f"{name}{array.shape}", array.tobytes()))
        digests += [_digest(shim.to_bytes()) for shim in node.shims]
    return digests


def tokenizer_digest(nlp: Language) -> str:
    """RETURNS (str): A digest of the tokenizer's settings and rules."""
    to_bytes = getattr(nlp.tokenizer, "to_bytes", None)
    state = to_bytes(exclude=["vocab"]) if to_bytes else b""
    return _digest(json.dumps(nlp.config["nlp"]["tokenizer"]), state)


def vectors_digest(nlp: Language) -> str:
    """RETURNS (str): A digest of the word vectors' table and keys."""
    vectors = nlp.vocab.vectors
    data = get_current_ops().to_numpy(vectors.data)
    keys = sorted(getattr(vectors, "key2row", {}).items())
    return _digest(f"{vectors.mode}{data.shape}{keys}", data.tobytes())


def lookups_digest(nlp: Language) -> str:
    """RETURNS (str): A digest of the vocab's lookups tables, which set token.norm."""
    lookups = nlp.vocab.lookups
    tables = {name: dict(lookups.get_table(name)) for name in lookups.tables}
    filled = {name: sorted(map(str, t.items())) for name, t in tables.items() if t}
    return _digest(json.dumps(filled, sort_keys=True))


def _cfg(pipe) -> dict:
    cfg = getattr(pipe, "cfg", {})
    return {k: v for k, v in cfg.items() if srsly.is_json_serializable(v)}


def _digest(*parts) -> str:
    digest = sha256()
    for part in parts:
        digest.update(part.encode("utf8") if isinstance(part, str) else part)
    return digest.hexdigest()
