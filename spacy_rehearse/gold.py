"""Gold: human annotation of the new labels, checked and mended before it is used."""

import warnings
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import (
    Any,
    Callable,
    Collection,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from spacy.language import Language
from spacy.tokens import Doc, DocBin, Span
from spacy.training import Example
from spacy.training.corpus import walk_corpus
from spacy.util import resolve_dot_names
from spacy.vocab import Vocab

from .completion import set_entities
from .teacher import Entity

CORPUS = "spacy.Corpus.v1"  # spaCy's reader of .spacy files
# Examples of a streamed corpus, which may never end, or bring nothing new.
MOST, FEWEST_READ = 100_000, 100

GetExamplesT = Callable[[], Iterable[Example]]


class Gold(NamedTuple):
    """What there is in the gold.

    examples (List[Example]): All of it.
    texts (List[str]): Its texts, each once.
    labels (Counter): Number of entities by label.
    n_mended (int): Entities that had to be mended or set aside.
    """

    examples: List[Example]
    texts: List[str]
    labels: Counter
    n_mended: int


def read_docs(path: Path, vocab: Vocab) -> List[Doc]:
    """Read annotated texts.

    path (Path): A .spacy file, or a folder of them.
    vocab (Vocab): The vocab of the docs.
    RETURNS (List[Doc]): The docs.
    RAISES (ValueError): If it is of another format, or holds no doc.
    """
    if not path.exists():
        raise ValueError(f"{path} does not exist")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"\[W090\]")  # no files: see below
        files = [path] if path.is_file() else walk_corpus(path, ".spacy")
    docs: List[Doc] = []
    for file in files:
        try:
            docs += DocBin().from_disk(file).get_docs(vocab)
        except Exception as e:  # msgpack, zlib and spaCy have their own
            raise ValueError(
                f"{file} is not a .spacy file: convert it with "
                "`python -m spacy rehearse convert` (Prodigy, CoNLL, IOB, JSON)"
            ) from e
    if not docs:
        raise ValueError(f"{path} holds no doc: expected .spacy, one file or a folder")
    return docs


def corpus_path(config: Mapping[str, Any], name: str) -> Optional[Path]:
    """Find the file of a corpus, whatever reads it.

    config (Mapping[str, Any]): A config, interpolated.
    name (str): train_corpus or dev_corpus.
    RETURNS (Optional[Path]): The file or folder. None if the corpus has no path.
    """
    path = _block(config, name).get("path")
    return Path(path) if path else None


def spacy_file_of(config: Mapping[str, Any], name: str) -> Optional[Path]:
    """RETURNS (Optional[Path]): The file or folder of a corpus. None if it has none, or
    another reader than spaCy's: nobody knows what that makes of it.
    """
    is_spacys = _block(config, name).get("@readers") == CORPUS
    return corpus_path(config, name) if is_spacys else None


def _block(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    block: Any = config
    for key in config["training"][name].split("."):
        block = block.get(key, {}) if isinstance(block, Mapping) else {}
    return block if isinstance(block, Mapping) else {}


def check_dev_exists(config: Mapping[str, Any]) -> None:
    """Raise a ValueError if there is no dev set: spaCy reads it only when all is
    labelled.

    config (Mapping[str, Any]): The config, interpolated.
    """
    path = spacy_file_of(config, "dev_corpus")
    if path and not path.exists():
        raise ValueError(
            f"the dev set {str(path)!r} does not exist: set --paths.dev, or the path "
            f"of [{config['training']['dev_corpus']}]"
        )


def warn_of_dev(config: Mapping[str, Any], labels: Iterable[str]) -> None:
    """Warn, before anything is labelled, if no checkpoint could be chosen by dev.

    config (Mapping[str, Any]): The config, interpolated.
    labels (Iterable[str]): The labels that are to be learnt.
    """
    path = spacy_file_of(config, "dev_corpus")
    if path is None:
        return
    marked = Counter(ent.label_ for doc in read_docs(path, Vocab()) for ent in doc.ents)
    if problem := _why_dev_fails(str(path), marked, labels):
        warnings.warn(problem, stacklevel=2)


def check_dev(where: str, marked: Counter, labels: Iterable[str]) -> None:
    """Raise a ValueError if no checkpoint could be chosen by a dev set.

    where (str): Where it is.
    marked (Counter): Its number of entities by label.
    labels (Iterable[str]): The labels that are to be learnt.
    """
    if problem := _why_dev_fails(where, marked, labels):
        raise ValueError(problem)


def _why_dev_fails(where: str, marked: Counter, labels: Iterable[str]) -> str:
    if any(marked[label] for label in labels):
        return ""
    return (
        f"{where} marks none of the labels of the gold ({', '.join(labels)}), "
        f"{'only ' + ', '.join(marked) if marked else 'and no other'}: no checkpoint "
        "could be chosen by it"
    )


def read_gold(get_examples: GetExamplesT, nlp: Language) -> Gold:
    """Read the whole gold, and mend it: see `mend_entities`.

    get_examples (Callable[[], Iterable[Example]]): As `initialize` gets it.
    nlp (Language): The pipeline. With `max_epochs = -1`, spaCy shows `initialize`
        no more than 100 examples: its config says where the rest is.
    RETURNS (Gold): The gold.
    RAISES (ValueError): If it holds no entity.
    """
    training = nlp.config.interpolate()["training"]
    if training["max_epochs"] == -1:
        get_examples = _streamed_corpus(nlp, training["train_corpus"])
    examples = list(get_examples())
    n_mended = sum(mend_entities(eg) for eg in examples)
    texts = list(dict.fromkeys(eg.reference.text for eg in examples))
    labels = Counter(ent.label_ for eg in examples for ent in eg.reference.ents)
    if not labels:
        raise ValueError(
            f"the gold holds no entity in {len(examples)} texts: check path, limit and "
            "max_length of [corpora.train], and that the annotation is in doc.ents. "
            "(`spacy assemble` has no gold: `spacy train` is what learns)"
        )
    return Gold(examples, texts, labels, n_mended)


def _streamed_corpus(nlp: Language, dot_name: str) -> GetExamplesT:
    (corpus,) = resolve_dot_names(nlp.config.interpolate(), [dot_name])
    return lambda: until_repeated(corpus(nlp))


def until_repeated(examples: Iterable[Example]) -> Iterator[Example]:
    """Read a corpus that may never end.

    examples (Iterable[Example]): The examples.
    YIELDS (Example): Those with a text that was not there before, until as many in a
        row as there were bring none.
    """
    seen: Set[str] = set()
    n_old = 0
    for eg in islice(examples, MOST):
        if eg.reference.text in seen:
            n_old += 1
            if n_old > max(len(seen), FEWEST_READ):
                return
        else:
            n_old = 0
            seen.add(eg.reference.text)
            yield eg


def resolve_labels(
    declared: Optional[Sequence[str]], gold: Counter, known: Sequence[str]
) -> Tuple[str, ...]:
    """Find the labels for which the gold is the authority.

    declared (Optional[Sequence[str]]): What the config says.
    gold (Counter): Number of entities in the gold by label.
    known (Sequence[str]): The teacher's labels.
    RETURNS (Tuple[str, ...]): The declared ones; by default those that are new.
    RAISES (ValueError): If the gold marks nothing, if there is no label to learn, if a
        declared one never occurs in the gold, or if that holds a new one that is not
        declared.
    """
    new = sorted(set(gold) - set(known))
    if not gold:
        raise ValueError(
            "no entity is marked in the gold: is it the annotated file? They are read "
            "from doc.ents"
        )
    if declared is None and not new:
        raise ValueError(
            "the gold holds no new label: the teacher knows all of its "
            f"{', '.join(sorted(gold))}. To correct labels that it knows, list them in "
            '[initialize.components.rehearsal] labels, e.g. labels = ["ORG"]; the gold '
            "must then mark all their mentions"
        )
    labels = sorted(set(new if declared is None else declared))
    unused = [label for label in labels if label not in gold]
    if unused or not labels:
        told = ", ".join(f"{label} {n}" for label, n in gold.most_common())
        raise ValueError(
            f"[initialize.components.rehearsal] labels: {unused or labels} never occur "
            f"in the gold, which holds {told}: mend the list (--labels in commands) "
            "or the annotation"
        )
    undeclared = [label for label in new if label not in labels]
    if undeclared:
        raise ValueError(
            f"the gold holds labels {undeclared}, which the teacher does not know and "
            f"[initialize.components.rehearsal] labels ({labels}) does not list: list "
            "them too, or leave them out of the gold (--labels of rehearse convert)"
        )
    return tuple(labels)


def mend_entities(example: Example) -> int:
    """Mend entities, in place, on which spaCy's recogniser can't be trained.

    White space is taken off the edges of an entity. One that crosses the start of a
    sentence, or is nothing but white space, is set aside: its tokens become missing.
    spaCy would stop the training at them (E024) or drop the text.

    example (Example): The example. Only its reference is changed.
    RETURNS (int): How many entities were mended or set aside.
    """
    reference, kept, missing = example.reference, [], set()
    n_mended = 0
    starts = _sentence_starts(example)
    for ent in reference.ents:
        span = _strip_space(ent)
        crosses = not starts.isdisjoint(range(span.start + 1, span.end))
        if len(span) and not crosses:
            kept.append(span)
        else:
            missing |= {token.i for token in ent}
        n_mended += crosses or len(span) != len(ent)
    if n_mended:
        unknown = missing | {t.i for t in reference if t.ent_iob == 0}
        blocked = [t for t in reference if t.ent_iob == 3 and not t.ent_type]
        reference.set_ents(
            [], blocked=[reference[t.i : t.i + 1] for t in blocked], default="outside"
        )
        set_entities(reference, kept, unknown)
    return n_mended


def clear_predicted(example: Example) -> bool:
    """Take entities off the predicted doc: there, they would bind the recogniser.

    example (Example): The example, changed in place.
    RETURNS (bool): Whether there were any.
    """
    had_entities = bool(example.predicted.ents)
    if had_entities:
        example.predicted.set_ents([], default="missing")
    return had_entities


def _strip_space(ent: Span) -> Span:
    start, end = ent.start, ent.end
    while start < end and ent.doc[start].is_space:
        start += 1
    while end > start and ent.doc[end - 1].is_space:
        end -= 1
    label, kb_id, span_id = ent.label, ent.kb_id, ent.id
    return Span(ent.doc, start, end, label=label, kb_id=kb_id, span_id=span_id)


def _sentence_starts(example: Example) -> Set[int]:
    """RETURNS (Set[int]): Tokens of the reference on which, by either doc of the
    example, a sentence starts.
    """
    starts = {token.i for token in example.reference if token.is_sent_start}
    preset = [t.i for t in example.predicted if t.i and t.is_sent_start]
    if preset:
        x2y = example.alignment.x2y
        starts |= {int(at[0]) for at in (x2y[i] for i in preset) if len(at)}
    return starts


def share_hidden(
    examples: Sequence[Example],
    taught: Mapping[str, Sequence[Entity]],
    labels: Collection[str],
) -> float:
    """Measure how often the base's entities hide the new ones.

    examples (Sequence[Example]): The gold.
    taught (Mapping[str, Sequence[Entity]]): The teacher's entities by gold text.
    labels (Collection[str]): The new labels.
    RETURNS (float): Share of the new entities that begin inside an entity of the
        teacher's, after its start: the recogniser can't begin them if it began that.
    """
    ents = [
        (ent.start_char, taught[eg.reference.text])
        for eg in examples
        for ent in eg.reference.ents
        if ent.label_ in labels
    ]
    n_hidden = sum(any(s < at < e for s, e, _ in theirs) for at, theirs in ents)
    return n_hidden / max(len(ents), 1)
