"""Preparation: from teacher, pool and gold to all that the training needs."""

import random
import warnings
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy
from spacy.language import Language
from spacy.util import fix_random_seed
from tqdm import tqdm

from . import checks
from .account import about_training, summarise
from .cache import SilverCache
from .column import add_column, can_grow, n_columns
from .completion import place_entities
from .distillation import can_distil
from .expert import DEFAULT_EXPERT, Expert, train_experts
from .fisher import estimate_fisher, pack, unpack
from .freeze import MovableT, frozen_weights
from .gold import GetExamplesT, Gold, read_gold, resolve_labels
from .heldout import split_silver
from .interleave import Interleaver, shuffled_forever
from .listeners import check_listeners, has_transformer, upstream_of
from .memory import (
    Exemplar,
    Memory,
    as_exemplars,
    merge,
    read_memory,
    round_key,
    save_memory,
    without_round,
)
from .mentions import learn_mentions
from .overlap import count_overlaps
from .parity import weights_digest
from .recipe import LEARN_RATE, TRANSFORMER_LEARN_RATE
from .regularizers import remember_start
from .rehearse import learn_silver
from .replay import as_silver, replayed_forever
from .session import Session
from .silver import Shard, SilverText, annotate, ask_experts, read_shard, text_digest
from .teacher import (
    Entity,
    Teacher,
    load_teacher,
    required_pipes,
    zone,
)

HIDDEN = 0.05  # share of the gold from which on `O` has to learn, too
MEMORY_RATIO = 0.25  # words from the memory for each gold word

PoolT = Callable[[Language], Iterator[str]]


class Settings(NamedTuple):
    """How to rehearse.

    name (str): The name of the rehearsal component.
    component (str): The pipe that learns. The new labels are added to it.
    ratio (float): Silver words per gold word.
    soft (float): Weight of distillation, 0 for none.
    margin (float): By how much the score of `O` is raised while new labels learn.
    teacher (str): Package name or path of the original pipeline.
    pool (Callable[[Language], Iterator[str]]): The raw text. Called twice.
    labels (Optional[Sequence[str]]): Labels on which the gold is the authority.
    heldout (float): Share of the pool to hold out.
    cache (Optional[str]): Folder of the silver cache. None to keep silver in memory.
    expert (Optional[Mapping[str, Any]]): Settings of the experts. None for no expert.
    column (Optional[Mapping[str, int]]): Settings of the column. None to let all the
        weights learn.
    memory (Optional[Mapping[str, Any]]): Settings of the memory. None for none.
    regularized (bool): Whether regularizers will ask how the weights started.
    fisher_texts (int): On how many texts they want to know what the weights are worth.
    """

    name: str
    component: str
    ratio: float
    soft: float
    margin: float
    teacher: str
    pool: PoolT
    labels: Optional[Sequence[str]]
    heldout: float
    cache: Optional[str]
    expert: Optional[Mapping[str, Any]]
    column: Optional[Mapping[str, int]]
    memory: Optional[Mapping[str, Any]]
    regularized: bool
    fisher_texts: int


def prepare(nlp: Language, get_examples: GetExamplesT, how: Settings) -> Session:
    """Check everything, label the pool, set held-out silver aside.

    Cheap checks come first, so that a mistake shows before anything is annotated.

    nlp (Language): The pipeline, with the rehearsal component in it.
    get_examples (Callable[[], Iterable[Example]]): The gold.
    how (Settings): How to rehearse.
    RETURNS (Session): What the training works with.
    RAISES (ValueError): If anything would spoil the training.
    """
    training = nlp.config.interpolate()["training"]
    frozen = tuple(training["frozen_components"])
    annotating = tuple(training["annotating_components"])
    seed = training["seed"] or 0
    checks.check_settings(
        how.ratio, how.soft, how.margin, how.heldout, how.expert, how.column
    )
    checks.check_memory(how.memory)
    checks.check_pipeline(nlp, how.name, how.component, frozen)
    gold = read_gold(get_examples, nlp)
    memory = _read_memory(how.memory)
    check_listeners(nlp, how.component, frozen, annotating, gold.examples)
    n_pool = count_texts(how.pool(nlp))
    teacher = load_teacher(how.teacher, how.component, annotating)
    checks.check_vectors(nlp, teacher)
    labels = resolve_labels(how.labels, gold.labels, teacher.labels)
    upstream = upstream_of(nlp, how.component)
    learning = [x for x in (*upstream, how.component) if x not in frozen]
    no_column = why_no_column(nlp, teacher, learning)
    grows = how.column is not None and not no_column
    is_teachers = has_weights_of(nlp, teacher)
    held = learning if how.regularized and not grows else []  # a column needs no hold
    starts = [remember_start(nlp.get_pipe(x)) for x in held]
    _add_labels(nlp, how.component, labels, teacher.labels)

    store = SilverCache(Path(how.cache) if how.cache else None, made_by(teacher))
    read = partial(read_shard, teacher=teacher, cache=store)
    taught = _annotate_gold(gold, teacher, store)
    shards = _annotate_pool(how.pool(nlp), n_pool, nlp, teacher, store)
    split = split_silver(
        shards,
        read,
        share=how.heldout,
        seed=seed,
        gold_texts=[*gold.texts, *(x.text for x in memory.exemplars)],
    )
    checks.check_entities([s.entities for s in split.heldout], len(split.heldout))
    silver = shuffled_forever(split.training, read, random.Random(seed))
    experts = _experts(how, teacher, gold, labels, annotating, seed)
    rounds = round_key(teacher.fingerprint, labels)
    earlier = [x for x in without_round(memory, rounds) if x.text not in taught]
    remembered = as_silver(earlier, teacher, labels)
    replay = replayed_forever(remembered, random.Random(seed))
    if experts:
        silver = ask_experts(silver, experts, labels)
        replay = ask_experts(replay, experts, labels)
    movable: MovableT = {}
    hidden = share_hidden(gold, taught, labels)
    if how.column is not None and grows:  # when nothing is left to fail
        movable = add_column(
            nlp, how.component, labels, outside=hidden >= HIDDEN, **how.column
        )
    session = Session(
        teacher=teacher,
        labels=labels,
        heldout=split.heldout,
        interleaver=Interleaver(silver, how.ratio),
        replay=Interleaver(replay, MEMORY_RATIO if remembered else 0.0),
        gold_entities=taught,
        mentions=learn_mentions(gold.examples, labels, nlp),
        experts=experts,
        overlaps=count_overlaps(experts, labels, taught),
        # With a column, there is nothing to distil: old scores can't move.
        soft=0.0 if movable else _soft(nlp.get_pipe(how.component), teacher, how.soft),
        margin=how.margin if movable and hidden < HIDDEN else 0.0,
        upstream=upstream,
        frozen=frozen,
        annotating=tuple(
            x for x in required_pipes(nlp, how.component, annotating) if x in annotating
        ),
        starts=starts,
        movable=movable,
    )
    if movable:
        target: Any = nlp.get_pipe(how.component)
        session.frozen_weights = frozen_weights(target.model, movable)
    if is_teachers:
        session.weights_digest = weights_digest(nlp, session.learning)
    if starts and how.fisher_texts:
        texts = shuffled_forever(split.training, read, random.Random(seed))
        weigh(nlp, session, list(islice(texts, how.fisher_texts)), store)
    if how.memory is not None:
        docs = [eg.reference for eg in gold.examples]
        new = as_exemplars(
            docs, taught, authority=labels, old=teacher.labels, round=rounds
        )
        _save_memory(memory, new, how.memory)
    kept = ("component", "ratio", "soft", "margin", "heldout", "expert")
    settings = {key: getattr(how, key) for key in kept}
    settings.update(column=how.column if movable else None, seed=seed)
    settings.update(replayed=len(remembered), hidden=round(hidden, 3))
    session.about = about_training(session, shards, split, settings)
    session.summary = summarise(session, shards, split, gold)
    if remembered:
        session.summary.append(f"Memory: {len(remembered)} texts of earlier rounds")
    if movable and hidden >= HIDDEN:
        session.summary.append(
            f"{hidden:.0%} of the new entities begin inside one of the teacher's: `O` "
            "learns, too, and old labels may change a little"
        )
    if how.column is not None and no_column:
        session.summary.append(f"No column is added: {no_column}")
    if how.margin and not session.margin:
        session.summary.append(
            "The margin is left out: it is for new labels in a column, beside an `O` "
            "that can't learn to make up for it"
        )
    if how.regularized and not starts:
        session.summary.append(
            "Regularizers have nothing to hold: beside a column, no old weight moves"
        )
    return session


def weigh(
    nlp: Language, session: Session, texts: Sequence[SilverText], store: SilverCache
) -> None:
    """Estimate what the weights are worth to the old labels, or look it up.

    nlp (Language): The student. It has not moved yet.
    session (Session): The training run. Its starts are changed in place.
    texts (Sequence[SilverText]): The silver to estimate it on.
    store (SilverCache): Where it is kept, with the silver.
    """
    weights = [
        f"{key} {value.shape}"
        for start in session.starts
        for key, value in start.weights.items()
    ]
    made_of = [*weights, *session.labels, *(item.text for item in texts)]
    key = f"fisher-{text_digest(made_of)}"
    if (data := store.get(key)) is not None:
        unpack(data, session.starts)
        return
    hard = replace(session, soft=0.0)
    # spaCy cuts long texts at random: here, always in the same places.
    states = random.getstate(), numpy.random.get_state()
    fix_random_seed(0)
    with tqdm(texts, unit=" texts", desc="Fisher", disable=None) as bar:
        estimate_fisher(
            session.starts, bar, lambda item: learn_silver(nlp, hard, [item], 0.0)
        )
    random.setstate(states[0])
    numpy.random.set_state(states[1])
    store.put(key, pack(session.starts), n_texts=len(texts))


def share_hidden(
    gold: Gold, taught: Mapping[str, Sequence[Entity]], labels: Sequence[str]
) -> float:
    """Measure how often the base's entities hide the new ones.

    gold (Gold): The gold.
    taught (Mapping[str, Sequence[Entity]]): The teacher's entities by gold text.
    labels (Sequence[str]): The new labels.
    RETURNS (float): Share of the new entities that begin inside an entity of the
        teacher's, after its start: the recogniser can't begin them if it began that.
    """
    ents = [
        (ent.start_char, taught[eg.reference.text])
        for eg in gold.examples
        for ent in eg.reference.ents
        if ent.label_ in labels
    ]
    n_hidden = sum(any(s < at < e for s, e, _ in theirs) for at, theirs in ents)
    return n_hidden / max(len(ents), 1)


def _read_memory(settings: Optional[Mapping[str, Any]]) -> Memory:
    if settings is None or settings.get("path") is None:
        return Memory([], {})
    path = Path(settings["path"])
    if not path.exists() and settings["path"] == settings.get("save_to"):
        return Memory([], {})  # the first round of many with the same config
    if not path.is_file():
        raise ValueError(
            f"[initialize.components.rehearsal.memory] path: there is no file {path}. "
            "In the first round set path = null, or path and save_to to the same file"
        )
    return read_memory(path)


def _save_memory(
    memory: Memory, new: Sequence[Exemplar], settings: Mapping[str, Any]
) -> None:
    merged = merge(memory, new, settings["capacity"], settings["policy"])
    if settings.get("save_to") is None:
        return
    path = Path(settings["save_to"])
    kept = read_memory(path) if path.exists() else Memory([], {})
    if lost := set(kept.rounds) - set(merged.rounds):
        raise ValueError(
            f"[initialize.components.rehearsal.memory] save_to: {path} holds "
            f"{len(lost)} rounds that path does not hold: they would be lost. Set path "
            "to it, or save_to to another file"
        )
    if merged != kept:
        save_memory(merged, path)


def count_texts(texts: Iterable[str]) -> int:
    """Count the pool, reading all of it, so that bad lines show before the work.

    texts (Iterable[str]): The texts.
    RETURNS (int): Their number.
    RAISES (ValueError): If there is none.
    """
    n_texts = sum(1 for _ in texts)
    if not n_texts:
        raise ValueError(
            "the pool is empty: no text is left in [initialize.components.rehearsal."
            "pool] after filtering. Check its path, min_length and limit"
        )
    return n_texts


def _add_labels(nlp, component: str, new: Sequence[str], old: Sequence[str]) -> None:
    pipe = nlp.get_pipe(component)
    for label in new:
        pipe.add_label(label)
    for label in old:  # before any memory zone, which would forget them
        nlp.vocab.strings.add(label)
    # spaCy keeps a copy of the weights for nlp.rehearse, which nobody calls here.
    if getattr(pipe, "_rehearsal_model", None) is not None:
        pipe._rehearsal_model = None


def why_no_column(nlp: Language, teacher: Teacher, learning: Sequence[str]) -> str:
    """Find out whether a column can keep the old labels as they are.

    nlp (Language): The student.
    teacher (Teacher): The teacher.
    learning (Sequence[str]): The pipes that learn.
    RETURNS (str): Why it can't, or would not help. Empty if it can, and helps.
    RAISES (ValueError): If the student has one already that the teacher lacks.
    """
    component = teacher.component
    if not can_grow(nlp, component):
        return f"{component!r} is no transition-based parser of spaCy's"
    if has_transformer(teacher.nlp, component):
        return f"{component!r} learns with a transformer"
    if shared := [name for name in learning if name != component]:
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


def has_weights_of(nlp: Language, teacher: Teacher) -> bool:
    """RETURNS (bool): Whether all the weights of the teacher's pipes are the student's,
    before new labels make its output layer grow.
    """
    pipes = required_pipes(nlp, teacher.component, teacher.pipes)
    ours = weights_digest(nlp, pipes)
    return not weights_digest(teacher.nlp, teacher.pipes) - ours


def _soft(pipe: Any, teacher: Teacher, weight: float) -> float:
    """The weight of distillation, or 0 where there are no scores to distil."""
    if weight and not can_distil(pipe):
        warnings.warn(
            f"component {teacher.component!r} does not score actions one by one: "
            "silver is learnt without distillation (soft = 0)",
            stacklevel=2,
        )
        return 0.0
    return weight


def _experts(
    how: Settings,
    teacher: Teacher,
    gold: Gold,
    labels: Sequence[str],
    annotating: Sequence[str],
    seed: int,
) -> List[Expert]:
    if how.expert is None:
        return []
    transformer = has_transformer(teacher.nlp, teacher.component)
    return train_experts(
        lambda: load_teacher(how.teacher, how.component, annotating).nlp,
        teacher.pipes,
        [eg.reference for eg in gold.examples],
        labels,
        learn_rate=TRANSFORMER_LEARN_RATE if transformer else LEARN_RATE,
        seed=seed,
        **{**DEFAULT_EXPERT, **how.expert},
    )


def made_by(teacher: Teacher) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): All that silver depends on beside the texts."""
    return {
        "teacher": teacher.name,
        "teacher_version": teacher.nlp.meta["version"],
        "fingerprint": teacher.fingerprint,
        "component": teacher.component,
        "pipes": list(teacher.pipes),
        "format": 1,
    }


def _annotate_gold(gold: Gold, teacher: Teacher, store: SilverCache):
    shards = list(annotate(gold.texts, teacher, store))
    items = (item for shard in shards for item in read_shard(shard, teacher, store))
    return {item.text: item.entities for item in items}


def _annotate_pool(
    texts: Iterable[str], n_texts: int, nlp: Language, teacher: Teacher, store
) -> List[Shard]:
    shards: List[Shard] = []
    with tqdm(total=n_texts, unit=" texts", desc="Pool", disable=None) as bar:
        for shard in annotate(texts, teacher, store, on_progress=bar.update):
            if not shards:  # soon enough to save the rest of the work
                checks.check_misaligned(
                    *count_misaligned(nlp, read_shard(shard, teacher, store))
                )
            shards.append(shard)
    return shards


def count_misaligned(nlp: Language, silver: Sequence[SilverText]) -> Tuple[int, int]:
    """Count the teacher's entities that do not fall on the student's tokens.

    nlp (Language): The student.
    silver (Sequence[SilverText]): The texts.
    RETURNS (Tuple[int, int]): The misaligned ones, and all.
    """
    with zone(nlp):
        n_misaligned = sum(
            len(place_entities(nlp.make_doc(item.text), item.entities)[1])
            for item in silver
        )
    return n_misaligned, sum(len(item.entities) for item in silver)
