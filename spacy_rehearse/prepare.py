"""Preparation: from teacher, pool and gold to all that the training needs."""

import random
import warnings
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language

from . import checks
from .account import about_training, summarise
from .cache import SilverCache
from .column import add_column, why_no_column
from .distillation import can_distil
from .expert import DEFAULT_EXPERT, Expert, miss_most, train_experts
from .findings import RELIABLE, expected_precision
from .fisher import weigh
from .freeze import MovableT, frozen_weights
from .gold import GetExamplesT, Gold, read_gold, resolve_labels, share_hidden
from .heldout import Split, split_silver
from .interleave import Interleaver, shuffled_forever
from .labelling import count_texts, label_gold, label_pool, made_by
from .listeners import check_listeners, has_transformer, upstream_of
from .memory import Memory, round_key, without_round
from .mentions import learn_mentions
from .overlap import count_overlaps
from .parity import has_weights_of, weights_digest
from .recipe import (
    FEW_ENTITIES,
    HIDDEN,
    LEARN_RATE,
    MARGIN,
    MOSTLY_NEW,
    RENAMED,
    TRANSFORMER_LEARN_RATE,
    column_size,
)
from .regularizers import Start, remember_start
from .renaming import Renamer, share_of_new_names
from .replay import as_silver, replayed_forever
from .rounds import open_memory, save_round
from .session import Session
from .settings import Settings
from .silver import Shard, SilverText, ask_experts, read_shard
from .teacher import Entity, Teacher, load_teacher, required_pipes

N_ASKED = 500  # texts of the pool that experts are tried on
MEMORY_RATIO = 0.25  # words from the memory for each gold word


class Inputs(NamedTuple):
    """What there is before anything is labelled, and found to be in order.

    teacher (Teacher): The teacher.
    gold (Gold): The gold.
    memory (Memory): Human annotation of earlier rounds.
    n_pool (int): Number of texts in the pool.
    labels (Tuple[str, ...]): The labels that are to be learnt.
    frozen (Tuple[str, ...]): The frozen components.
    annotating (Tuple[str, ...]): The annotating components.
    upstream (List[str]): Shared embedding pipes that the learning pipe listens to.
    no_column (str): Why there can't be a column. Empty if there can.
    seed (int): The seed of the training.
    """

    teacher: Teacher
    gold: Gold
    memory: Memory
    n_pool: int
    labels: Tuple[str, ...]
    frozen: Tuple[str, ...]
    annotating: Tuple[str, ...]
    upstream: List[str]
    no_column: str
    seed: int


class Labelled(NamedTuple):
    """What the teacher says.

    gold (Dict[str, Tuple[Entity, ...]]): Its entities by gold text.
    shards (List[Shard]): The pool.
    split (Split): What of it is trained on, and what is held out.
    """

    gold: Dict[str, Tuple[Entity, ...]]
    shards: List[Shard]
    split: Split


def prepare(nlp: Language, get_examples: GetExamplesT, how: Settings) -> Session:
    """Check everything, label the pool, set held-out silver aside.

    Cheap checks come first, so that a mistake shows before anything is annotated.

    nlp (Language): The pipeline, with the rehearsal component in it.
    get_examples (Callable[[], Iterable[Example]]): The gold.
    how (Settings): How to rehearse.
    RETURNS (Session): What the training works with.
    RAISES (ValueError): If anything would spoil the training.
    """
    inputs = _read_inputs(nlp, get_examples, how)
    teacher, labels, seed = inputs.teacher, inputs.labels, inputs.seed
    has_column = how.column is not None and not inputs.no_column
    is_teachers = has_weights_of(nlp, teacher)
    starts = [] if has_column else _remember_starts(nlp, inputs, how)
    _add_labels(nlp, how.component, labels, teacher.labels)

    store = SilverCache(Path(how.cache) if how.cache else None, made_by(teacher))
    read = partial(read_shard, teacher=teacher, cache=store)
    labelled = _label(nlp, inputs, how, store, read)
    experts = _train_experts(inputs, how)
    silver = shuffled_forever(labelled.split.training, read, random.Random(seed))
    remembered = _remember(inputs, labelled)
    replay = replayed_forever(remembered, random.Random(seed))
    precision = _expected_precision(experts, labelled, read, inputs)
    if experts and (precision >= RELIABLE or miss_most(experts)):
        silver = ask_experts(silver, experts, labels)
        replay = ask_experts(replay, experts, labels)
    hidden = share_hidden(inputs.gold.examples, labelled.gold, labels)
    renamer = _renamer(nlp, how, inputs, has_column)
    size: Optional[Dict[str, int]] = None
    movable: MovableT = {}
    if has_column:  # when nothing is left to fail: it changes the pipeline
        size = _column_size(how, inputs, experts, renamer)
        movable = add_column(
            nlp, how.component, labels, overlaps=hidden >= HIDDEN, **size
        )
    moves = hidden >= HIDDEN or not movable
    needed = required_pipes(nlp, how.component, inputs.annotating)
    session = Session(
        teacher=teacher,
        labels=labels,
        heldout=labelled.split.heldout,
        interleaver=Interleaver(silver, how.ratio),
        replay=Interleaver(replay, MEMORY_RATIO if remembered else 0.0),
        gold_entities=labelled.gold,
        mentions=learn_mentions(inputs.gold.examples, labels, nlp),
        experts=experts,
        expected_precision=precision,
        overlaps=count_overlaps(experts, labels, labelled.gold),
        # Where old scores can't move, there is nothing to distil.
        soft=_soft(nlp.get_pipe(how.component), teacher, how.soft) if moves else 0.0,
        margin=0.0 if moves else _margin(how, inputs, experts),
        renamer=renamer,
        upstream=inputs.upstream,
        frozen=inputs.frozen,
        annotating=tuple(x for x in needed if x in inputs.annotating),
        starts=starts,
        column=size,
        movable=movable,
    )
    if movable:
        target: Any = nlp.get_pipe(how.component)
        session.frozen_weights = frozen_weights(target.model, movable)
    if is_teachers:
        session.weights_digest = weights_digest(nlp, session.learning)
    if starts and how.fisher_texts:
        texts = shuffled_forever(labelled.split.training, read, random.Random(seed))
        weigh(nlp, session, list(islice(texts, how.fisher_texts)), store)
    if how.memory is not None:
        docs = [eg.reference for eg in inputs.gold.examples]
        save_round(inputs.memory, docs, labelled.gold, teacher, labels, how.memory)
    _describe(nlp, session, how, inputs, labelled, hidden, len(remembered))
    return session


def _read_inputs(nlp: Language, get_examples: GetExamplesT, how: Settings) -> Inputs:
    training = nlp.config.interpolate()["training"]
    frozen = tuple(training["frozen_components"])
    annotating = tuple(training["annotating_components"])
    checks.check_settings(
        how.ratio,
        how.soft,
        how.margin,
        how.rename,
        how.heldout,
        how.expert,
        how.column,
    )
    checks.check_memory(how.memory)
    checks.check_pipeline(nlp, how.name, how.component, frozen)
    gold = read_gold(get_examples, nlp)
    memory = open_memory(how.memory)
    check_listeners(nlp, how.component, frozen, annotating, gold.examples)
    n_pool = count_texts(how.pool(nlp))
    teacher = load_teacher(how.teacher, how.component, annotating)
    checks.check_vectors(nlp, teacher)
    labels = resolve_labels(how.labels, gold.labels, teacher.labels)
    upstream = upstream_of(nlp, how.component)
    shared = [name for name in upstream if name not in frozen]
    return Inputs(
        teacher=teacher,
        gold=gold,
        memory=memory,
        n_pool=n_pool,
        labels=labels,
        frozen=frozen,
        annotating=annotating,
        upstream=upstream,
        no_column=why_no_column(nlp, teacher, shared),
        seed=training["seed"] or 0,
    )


def _remember_starts(nlp: Language, inputs: Inputs, how: Settings) -> List[Start]:
    if not how.regularized:
        return []
    learning = [x for x in (*inputs.upstream, how.component) if x not in inputs.frozen]
    return [remember_start(nlp.get_pipe(name)) for name in learning]


def _add_labels(nlp, component: str, new: Sequence[str], old: Sequence[str]) -> None:
    pipe = nlp.get_pipe(component)
    for label in new:
        pipe.add_label(label)
    for label in old:  # before any memory zone, which would forget them
        nlp.vocab.strings.add(label)
    # spaCy keeps a copy of the weights for nlp.rehearse, which nobody calls here.
    if getattr(pipe, "_rehearsal_model", None) is not None:
        pipe._rehearsal_model = None


def _label(
    nlp: Language,
    inputs: Inputs,
    how: Settings,
    store: SilverCache,
    read: Callable[[Shard], List[SilverText]],
) -> Labelled:
    gold = label_gold(inputs.gold.texts, inputs.teacher, store)
    shards = label_pool(how.pool(nlp), inputs.n_pool, nlp, inputs.teacher, store)
    exemplars = [exemplar.text for exemplar in inputs.memory.exemplars]
    split = split_silver(
        shards,
        read,
        share=how.heldout,
        seed=inputs.seed,
        gold_texts=[*inputs.gold.texts, *exemplars],
    )
    checks.check_entities([x.entities for x in split.heldout], len(split.heldout))
    return Labelled(gold, shards, split)


def _train_experts(inputs: Inputs, how: Settings) -> List[Expert]:
    if how.expert is None:
        return []
    teacher = inputs.teacher
    transformer = has_transformer(teacher.nlp, teacher.component)
    return train_experts(
        lambda: load_teacher(how.teacher, how.component, inputs.annotating).nlp,
        teacher.pipes,
        [eg.reference for eg in inputs.gold.examples],
        inputs.labels,
        learn_rate=TRANSFORMER_LEARN_RATE if transformer else LEARN_RATE,
        seed=inputs.seed,
        **{**DEFAULT_EXPERT, **how.expert},
    )


def _expected_precision(
    experts: Sequence[Expert],
    labelled: Labelled,
    read: Callable[[Shard], List[SilverText]],
    inputs: Inputs,
) -> float:
    """How much of what experts find in the pool will be right, by a sample of it."""
    if not experts:
        return 0.0
    rng = random.Random(inputs.seed)
    sample = islice(shuffled_forever(labelled.split.training, read, rng), N_ASKED)
    return expected_precision(experts, [x.text for x in sample], inputs.labels)


def _remember(inputs: Inputs, labelled: Labelled) -> List[SilverText]:
    rounds = round_key(inputs.teacher.fingerprint, inputs.labels)
    earlier = without_round(inputs.memory, rounds)
    kept = [x for x in earlier if x.text not in labelled.gold]
    return as_silver(kept, inputs.teacher, inputs.labels)


def _margin(how: Settings, inputs: Inputs, experts: Sequence[Expert]) -> float:
    """The user's margin, or the one that fits the gold: none, unless it is scarce."""
    if how.margin is not None:
        return how.margin
    return MARGIN if _is_scarce(inputs, experts) else 0.0


def _is_scarce(inputs: Inputs, experts: Sequence[Expert]) -> bool:
    """Whether gold is too little for what it teaches: experts tell, or its size."""
    n_entities = sum(inputs.gold.labels[label] for label in inputs.labels)
    return miss_most(experts) if experts else n_entities < FEW_ENTITIES


def _column_size(
    how: Settings,
    inputs: Inputs,
    experts: Sequence[Expert],
    renamer: Optional[Renamer],
) -> Dict[str, int]:
    """The size that the user wants, or what fits the gold."""
    wide = renamer is not None and not _is_scarce(inputs, experts)
    return column_size(how.column or {}, wide=wide)


def _renamer(
    nlp: Language, how: Settings, inputs: Inputs, has_column: bool
) -> Optional[Renamer]:
    """What makes up names, as often as the user says, or as fits the gold."""
    docs = [eg.reference for eg in inputs.gold.examples]
    if how.rename is None:
        new = share_of_new_names(docs, inputs.labels)
        share = RENAMED if has_column and new >= MOSTLY_NEW else 0.0
    else:
        share = how.rename
    if not share or _others_that_learn(nlp, how, inputs):
        return None
    # The student's vocab is saved, the teacher's is not.
    vocab = inputs.teacher.nlp.vocab
    return Renamer(docs, inputs.labels, share, vocab, random.Random(inputs.seed))


def _others_that_learn(nlp: Language, how: Settings, inputs: Inputs) -> List[str]:
    """RETURNS (List[str]): Pipes whose annotation would go with the names."""
    ours = (how.name, how.component, *inputs.upstream, *inputs.frozen)
    return [
        name
        for name, pipe in nlp.pipeline
        if getattr(pipe, "is_trainable", False) and name not in ours
    ]


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


def _describe(
    nlp: Language,
    session: Session,
    how: Settings,
    inputs: Inputs,
    labelled: Labelled,
    hidden: float,
    n_replayed: int,
) -> None:
    """Tell what the session is made of: for the pipeline's meta, and to the user."""
    kept = ("component", "ratio", "heldout")
    expert = dict(how.expert) if how.expert else None
    if expert and session.experts:
        expert["lean"] = session.experts[0].lean
    settings = {
        **{key: getattr(how, key) for key in kept},
        "expert": expert,
        "soft": session.soft,
        "margin": session.margin,
        "rename": session.renamer.share if session.renamer else 0.0,
        "column": session.column,
        "seed": inputs.seed,
        "replayed": n_replayed,
        "hidden_share": round(hidden, 3),
    }
    silver = labelled.shards, labelled.split
    session.about = about_training(session, *silver, settings)
    session.summary = [
        *summarise(session, *silver, inputs.gold),
        *_explain(nlp, session, how, inputs, hidden, n_replayed),
    ]


def _explain(
    nlp: Language,
    session: Session,
    how: Settings,
    inputs: Inputs,
    hidden: float,
    n_replayed: int,
) -> List[str]:
    """Tell what is done otherwise than the settings say, and why."""
    lines = []
    if n_replayed:
        lines.append(f"Memory: {n_replayed} texts of earlier rounds")
    if session.movable and hidden >= HIDDEN:
        lines.append(
            f"{hidden:.0%} of the new entities begin inside one of the teacher's: old "
            "labels learn to step back there, held by distillation elsewhere"
        )
    if session.renamer:
        docs = [eg.reference for eg in inputs.gold.examples]
        new = share_of_new_names(docs, inputs.labels)
        lines.append(
            f"{new:.0%} of the new entities' names occur once in the gold, so as many "
            f"to come are new: {session.renamer.share:.0%} of the entities are learnt "
            "under made-up names"
        )
    elif how.rename:
        lines.append(
            "No names are made up: "
            f"{', '.join(_others_that_learn(nlp, how, inputs))} would learn them"
        )
    if how.column is not None and inputs.no_column:
        lines.append(f"No column is added: {inputs.no_column}")
    if how.margin and not session.margin:
        lines.append(
            "The margin is left out: it is for new labels in a column, beside old ones "
            "that can't learn to make up for it"
        )
    if how.regularized and not session.starts:
        lines.append(
            "Regularizers have nothing to hold: beside a column, no old weight moves"
        )
    return lines
