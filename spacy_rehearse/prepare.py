"""Preparation: from teacher, pool and gold to all that the training needs."""

import random
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from spacy.language import Language

from . import checks
from .account import describe
from .cache import SilverCache
from .column import add_column
from .expert import DEFAULT_EXPERT, Expert, train_experts
from .fisher import weigh
from .fitting import (
    fit_column,
    fit_copy,
    fit_lead,
    fit_margin,
    fit_renamer,
    fit_soft,
    is_scarce,
    old_scores_move,
)
from .freeze import MovableT, frozen_weights
from .gold import GetExamplesT, share_hidden
from .heldout import Split, split_silver
from .inputs import Inputs, read_inputs
from .interleave import Interleaver, shuffled_forever
from .labelling import label_gold, label_pool, made_by
from .listeners import has_transformer
from .memory import earlier_than, round_key, without_attempts
from .mentions import learn_mentions
from .overlap import count_overlaps
from .parity import is_grown, weights_digest
from .recipe import LEARN_RATE, TRANSFORMER_LEARN_RATE
from .regularizers import Start, remember_start
from .replay import as_silver, replayed_forever
from .rounds import save_round
from .session import Session
from .settings import Settings
from .silver import Shard, SilverText, ask_experts, read_shard
from .teacher import Entity, labels_before, load_teacher, overlaps, required_pipes
from .trial import Trial, are_asked, try_out
from .unseen import see_in_beam

N_ASKED = 500  # texts of the pool that experts are tried on
MEMORY_RATIO = 0.25  # words from the memory for each gold word


class Labelled(NamedTuple):
    """What the teacher says, and what people have said before.

    gold (Dict[str, Tuple[Entity, ...]]): Old entities by gold text.
    shards (List[Shard]): The pool.
    split (Split): What of it is trained on, and what is held out.
    remembered (List[SilverText]): Texts of earlier rounds.
    """

    gold: Dict[str, Tuple[Entity, ...]]
    shards: List[Shard]
    split: Split
    remembered: List[SilverText]


def prepare(nlp: Language, get_examples: GetExamplesT, how: Settings) -> Session:
    """Check everything, label the pool, set held-out silver aside.

    Cheap checks come first, so that a mistake shows before anything is annotated.

    nlp (Language): The pipeline, with the rehearsal component in it.
    get_examples (Callable[[], Iterable[Example]]): The gold.
    how (Settings): How to rehearse.
    RETURNS (Session): What the training works with.
    RAISES (ValueError): If anything would spoil the training.
    """
    inputs = read_inputs(nlp, get_examples, how)
    teacher, labels, seed = inputs.teacher, inputs.labels, inputs.seed
    has_column = how.column is not None and not inputs.no_column
    is_anew = not is_grown(nlp, teacher)
    for label in teacher.labels:  # before any memory zone, which would forget them
        nlp.vocab.strings.add(label)

    store = SilverCache(Path(how.cache) if how.cache else None, made_by(teacher))
    read = partial(read_shard, teacher=teacher, cache=store)
    labelled = _label(nlp, inputs, how, store, read)
    experts = _train_experts(inputs, how)
    silver = shuffled_forever(labelled.split.training, read, random.Random(seed))
    replay = replayed_forever(labelled.remembered, random.Random(seed))
    trial = _try_out(experts, labelled, read, inputs)
    alone = are_asked(experts, trial)
    if experts:
        ask = partial(ask_experts, experts=experts, labels=labels)
        replay = ask(replay)  # earlier gold is like this gold, whatever the pool is
        if alone or inputs.corrected:
            silver = ask(silver, alone=alone)
    hidden = share_hidden(inputs.gold.examples, labelled.gold, labels)
    moves = old_scores_move(how, inputs, has_column, hidden)
    copy = has_column and fit_copy(how, inputs)
    renamer = fit_renamer(
        nlp, how, inputs, experts, has_column=has_column, copy=copy, moves=moves
    )
    # What changes the pipeline comes when nothing is left to fail, or to wait for.
    starts = [] if has_column else _remember_starts(nlp, inputs, how)
    _add_labels(nlp, how.component, labels)
    column: Optional[Dict[str, Any]] = None
    movable: MovableT = {}
    if has_column:
        column = fit_column(how, inputs, experts, renamer, copy=copy, step_back=moves)
        movable = add_column(nlp, how.component, labels, **column)
    needed = required_pipes(nlp, how.component, inputs.annotating)
    session = Session(
        teacher=teacher,
        labels=labels,
        heldout=labelled.split.heldout,
        interleaver=Interleaver(silver, how.ratio),
        replay=Interleaver(replay, MEMORY_RATIO if labelled.remembered else 0.0),
        gold_entities=labelled.gold,
        mentions=learn_mentions(inputs.gold.examples, labels, nlp),
        experts=experts,
        trial=trial,
        overlaps=count_overlaps(experts, labels, labelled.gold),
        # Where old scores can't move, there is nothing to distil.
        soft=fit_soft(nlp.get_pipe(how.component), teacher, how.soft) if moves else 0.0,
        margin=0.0 if moves else fit_margin(how, inputs, experts),
        lead=fit_lead(nlp.get_pipe(how.component), copy=copy, step_back=moves),
        averages_longer=bool(how.ratio) and not moves and is_scarce(inputs, experts),
        renamer=renamer,
        upstream=inputs.upstream,
        frozen=inputs.frozen,
        annotating=tuple(x for x in needed[:-1] if x in inputs.annotating),
        starts=starts,
        column=column,
        movable=movable,
    )
    target: Any = nlp.get_pipe(how.component)
    session.target_labels = tuple(target.labels)
    if movable:
        session.frozen_weights = frozen_weights(target.model, movable)
    if is_anew:  # and the weights are the teacher's
        session.weights_digest = weights_digest(nlp, session.learning)
    if starts and how.fisher_texts:
        texts = shuffled_forever(labelled.split.training, read, random.Random(seed))
        weigh(nlp, session, list(islice(texts, how.fisher_texts)), store)
    if how.memory is not None:
        docs = [eg.reference for eg in inputs.gold.examples]
        save_round(inputs.memory, docs, labelled.gold, teacher, labels, how.memory)
    session.about, session.summary = describe(
        nlp,
        session,
        how,
        inputs,
        shards=labelled.shards,
        split=labelled.split,
        hidden=hidden,
        n_replayed=len(labelled.remembered),
    )
    return session


def _remember_starts(nlp: Language, inputs: Inputs, how: Settings) -> List[Start]:
    if not how.regularized:
        return []
    learning = [x for x in (*inputs.upstream, how.component) if x not in inputs.frozen]
    return [remember_start(nlp.get_pipe(name)) for name in learning]


def _add_labels(nlp: Language, component: str, new: Sequence[str]) -> None:
    pipe: Any = nlp.get_pipe(component)
    # Those that earlier pipes set, too: spaCy's recogniser takes them over from
    # doc.ents where it meets them, and gets a new output layer, which nobody holds.
    for label in (*new, *labels_before(nlp, component)):
        pipe.add_label(label)
    see_in_beam(pipe, new)
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
    old = set(inputs.teacher.labels) - inputs.corrected
    checks.check_entities([x.entities for x in split.heldout], old)
    remembered = _remember(inputs)
    for known in remembered:  # people's word on this gold is better than the teacher's
        if known.text in gold:
            told = [e for e in known.entities if e[2] not in inputs.labels]
            # But what they left open, the teacher fills in.
            gaps = [(*gap, "") for gap in known.missing]
            own = [e for e in gold[known.text] if overlaps(e, gaps)]
            told += [e for e in own if not overlaps(e, told)]
            gold[known.text] = tuple(sorted(told))
    remembered = [x for x in remembered if x.text not in gold]
    return Labelled(gold, shards, split, remembered)


def _train_experts(inputs: Inputs, how: Settings) -> List[Expert]:
    if how.expert is None:
        return []
    teacher = inputs.teacher
    source = how.teacher, how.component, inputs.annotating, teacher.nlp.max_length
    transformer = has_transformer(teacher.nlp, teacher.component)
    return train_experts(
        lambda: load_teacher(*source).nlp,
        teacher.pipes,
        [eg.reference for eg in inputs.gold.examples],
        inputs.labels,
        learn_rate=TRANSFORMER_LEARN_RATE if transformer else LEARN_RATE,
        seed=inputs.seed,
        **{**DEFAULT_EXPERT, **how.expert},
    )


def _try_out(
    experts: Sequence[Expert],
    labelled: Labelled,
    read: Callable[[Shard], List[SilverText]],
    inputs: Inputs,
) -> Trial:
    """What experts make of a sample of the pool."""
    if not experts:
        return Trial()
    rng = random.Random(inputs.seed)
    sample = islice(shuffled_forever(labelled.split.training, read, rng), N_ASKED)
    pool = {x.text: x.entities for x in sample}
    docs = [eg.reference for eg in inputs.gold.examples]
    return try_out(experts, inputs.labels, pool=pool, gold=labelled.gold, docs=docs)


def _remember(inputs: Inputs) -> List[SilverText]:
    teacher, labels, texts = inputs.teacher, inputs.labels, inputs.gold.texts
    memory = without_attempts(
        inputs.memory, teacher.weights, texts, labels, teacher.labels
    )
    earlier = earlier_than(memory, round_key(teacher.weights, labels))
    return as_silver(earlier, teacher, labels)
