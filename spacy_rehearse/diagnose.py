"""Diagnosis: what `spacy debug data` can't know, before anything is trained."""

from collections import Counter
from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from spacy.tokens import Doc
from spacy.training import Example

from . import scorer
from .forgetting import as_examples
from .gold import resolve_labels, share_hidden
from .near_duplicates import NearDuplicateIndex, set_phrases
from .recipe import (
    COLUMN_LEARN_RATE,
    COPY_LEARN_RATE,
    GOLD_WORDS,
    HIDDEN,
    LEARN_RATE,
    SILENT,
    SPARSE,
    rate_schedule,
)
from .teacher import (
    Entity,
    ProgressT,
    Teacher,
    no_progress,
    overlaps,
    predict_entities,
)

WEAK = 0.5  # F of the teacher on the user's own data: below, silver is mostly wrong
SCARCE = 20  # mentions of an old label in the pool: below, it is hardly rehearsed
FEWEST = 10  # entities in gold, to judge the teacher by
FEWEST_IN_DEV = 30  # entities of a label, to choose a checkpoint by
FEWEST_TEXTS = 500  # of the pool: below, a few dozen are held out
FEWEST_FOR_LABELS = 100  # of the pool, to say which labels are rare in it
MOSTLY = 0.5  # share of a label's entities


class Diagnosis(NamedTuple):
    """What there is, and how it fits together.

    new (List[str]): The labels that are to be learnt.
    n_gold (int): Number of gold texts.
    n_pool (int): Number of pool texts looked at.
    n_texts (int): Number of pool texts in all.
    gold_labels (Counter): Entities of the gold by label.
    called (Counter): What the teacher calls gold entities, by (gold label, teacher's
        label). Entities that it does not see are not counted.
    confusing (List[Tuple[str, str, str]]): Gold entities that it calls otherwise, each
        once: text, gold label, teacher's label.
    contradicted (List[List[int]]): Gold texts that occur again, marked otherwise: the
        numbers of each, from 1.
    n_seen (int): Gold texts in which the teacher sees an entity.
    n_marked (int): Gold texts in which a label that is to be learnt is marked.
    hidden (float): Share of the new entities that begin inside one of the teacher's.
    coverage (Counter): Mentions of old labels in the pool, by the teacher.
    n_copied (int): Pool texts nearly the same as one of the gold.
    n_leaked (int): Pool texts nearly the same as one of dev.
    n_repeated (int): Dev texts that are in the gold, too.
    n_dev (int): Number of dev texts.
    dev_labels (Counter): Entities of dev by label.
    teacher_f (Dict[str, Tuple[float, int]]): F of the teacher on old labels that dev
        marks, and how many entities there are.
    """

    new: List[str]
    n_gold: int
    n_pool: int
    n_texts: int
    gold_labels: Counter
    called: Counter
    confusing: List[Tuple[str, str, str]]
    contradicted: List[List[int]]
    n_seen: int
    n_marked: int
    hidden: float
    coverage: Counter
    n_copied: int
    n_leaked: int
    n_repeated: int
    n_dev: int
    dev_labels: Counter
    teacher_f: Dict[str, Tuple[float, int]]


def diagnose(
    teacher: Teacher,
    *,
    gold: Sequence[Doc],
    dev: Sequence[Doc],
    pool: Sequence[str],
    n_texts: Optional[int] = None,
    labels: Optional[Sequence[str]] = None,
    progress: ProgressT = no_progress,
) -> Diagnosis:
    """Look at gold, dev and pool through the teacher's eyes.

    teacher (Teacher): The teacher.
    gold (Sequence[Doc]): The gold.
    dev (Sequence[Doc]): The gold to choose the checkpoint by.
    pool (Sequence[str]): Raw text, all or a sample.
    n_texts (Optional[int]): Of how many texts it is a sample. None if it is all.
    labels (Optional[Sequence[str]]): The labels that are to be learnt. By default those
        that the teacher lacks.
    progress (ProgressT): Shows how far it is.
    RETURNS (Diagnosis): What was found.
    RAISES (ValueError): If given labels do not occur, or do not suffice.
    """
    marked = Counter(ent.label_ for doc in gold for ent in doc.ents)
    new = sorted(set(marked) - set(teacher.labels))
    if labels is not None:
        new = list(resolve_labels(labels, marked, teacher.labels))
    trained = {doc.text for doc in gold}
    said = _predict(teacher, progress([doc.text for doc in gold], "Gold"))
    met = list(_meetings(gold, said))
    phrases = set_phrases(pool) | set_phrases(trained)
    leaks, copies = (
        NearDuplicateIndex((doc.text for doc in docs), phrases) for docs in (dev, gold)
    )
    taught = dict(zip((doc.text for doc in gold), said, strict=True))
    mentions = (
        e[2] for entities in _predict(teacher, progress(pool, "Pool")) for e in entities
    )
    return Diagnosis(
        new=new,
        n_gold=len(gold),
        n_pool=len(pool),
        n_texts=len(pool) if n_texts is None else n_texts,
        gold_labels=marked,
        called=Counter((label, theirs) for _, label, theirs in met),
        confusing=list(dict.fromkeys(x for x in met if x[1] != x[2])),
        contradicted=find_contradicted(gold),
        n_seen=sum(bool(entities) for entities in said),
        n_marked=sum(any(e.label_ in new for e in doc.ents) for doc in gold),
        hidden=share_hidden([Example(doc, doc) for doc in gold], taught, new),
        coverage=_only(Counter(mentions), teacher.labels),
        n_copied=sum(text in copies for text in pool),
        n_leaked=sum(text in leaks for text in pool),
        n_repeated=sum(doc.text in trained for doc in dev),
        n_dev=len(dev),
        dev_labels=Counter(ent.label_ for doc in dev for ent in doc.ents),
        teacher_f=_teacher_f(teacher, dev),
    )


def find_contradicted(docs: Iterable[Doc]) -> List[List[int]]:
    """Find texts of which a model learns now one thing and now another.

    docs (Iterable[Doc]): The gold.
    RETURNS (List[List[int]]): For each text that occurs more than once, with other
        entities, the numbers of its docs, from 1.
    """
    marked: Dict[str, Dict[frozenset, int]] = {}
    for number, doc in enumerate(docs, start=1):
        spans = frozenset((e.start_char, e.end_char, e.label_) for e in doc.ents)
        marked.setdefault(doc.text, {}).setdefault(spans, number)
    return [sorted(ways.values()) for ways in marked.values() if len(ways) > 1]


def tell_contradicted(found: Sequence[Sequence[int]], what: str) -> str:
    """RETURNS (str): A warning of texts that occur more than once, marked otherwise."""
    listed = "; ".join(" and ".join(map(str, numbers)) for numbers in found[:5])
    return (
        f"{len(found)} {what} occur more than once, marked otherwise (numbers {listed}"
        f"{'; …' if len(found) > 5 else ''}): what is marked in one is O in the other. "
        "Make one of them"
    )


def check_pool(found: Diagnosis) -> None:
    """Raise a ValueError if a pool, if all of it was looked at, stops the training.

    found (Diagnosis): What was found.
    """
    left = found.n_pool - found.n_copied
    if found.n_pool < found.n_texts:
        return
    if left < 2:
        raise ValueError(
            f"the pool is too small: it has {found.n_pool} texts, and "
            f"{found.n_copied} of them are left out, as they are nearly the same as "
            "texts of the gold. Give it more raw text"
        )
    if (kept := set(found.coverage) - set(found.new)) and not any(
        found.coverage[label] for label in kept
    ):
        raise ValueError(
            f"the teacher finds no entity of the labels to be kept, {sorted(kept)}, in "
            f"the {found.n_pool} texts of the pool: retention can't be measured. Use "
            "raw text like that which the pipeline reads"
        )


def advise(
    found: Diagnosis, *, learns_from_pool: bool = True, column: bool = False
) -> List[str]:
    """Tell what should be mended before training.

    found (Diagnosis): What was found.
    learns_from_pool (bool): Whether there is silver. Else, the pool only shows what is
        kept, and dev may stand for it.
    column (bool): Whether new labels get a column, so that the old ones need no silver.
    RETURNS (List[str]): The advice. Empty if all is well.
    """
    advice = []
    for label in sorted(set(found.gold_labels) - set(found.new)):
        advice.append(
            f"The gold also marks {label} ({found.gold_labels[label]}), which the "
            "teacher knows: where gold marks it, gold counts; elsewhere, the teacher"
        )
    for label in found.new:
        if found.gold_labels[label] < FEWEST:
            advice.append(
                f"{label} is marked {found.gold_labels[label]} times: annotate more"
            )
    if 0 < found.n_marked < SPARSE * found.n_gold:
        advice.append(
            f"Only {found.n_marked} of {found.n_gold} gold texts hold a new entity: "
            "they are seldom seen. Leave most of the others out of the gold, say all "
            f"but {SILENT * found.n_marked:g}"
        )
    if found.contradicted:
        advice.append(tell_contradicted(found.contradicted, "gold texts"))
    advice += _advise_on_conflicts(found, column)
    advice += _advise_on_labels(found)
    if found.n_texts < (FEWEST_TEXTS if learns_from_pool else FEWEST_FOR_LABELS):
        advice.append(
            f"The pool has {found.n_texts} texts: a few thousand are good, of the kind "
            "that the pipeline reads. Retention and flood are measured by the part of "
            "them that is held out: that is rough"
        )
    whole = found.n_texts / max(found.n_pool, 1)  # how much more the pool will hold
    rare = [
        f"{x} ({n})" for x, n in sorted(found.coverage.items()) if n * whole < SCARCE
    ]
    if rare and found.n_texts >= FEWEST_FOR_LABELS:
        rehearsed = learns_from_pool and not column
        follows = "they are hardly rehearsed"
        if not rehearsed:
            follows = "the scores of the training can't tell whether they are kept"
        least = f"less than {SCARCE} times"
        if found.n_pool < found.n_texts:
            least = f"so seldom that there are less than {SCARCE} in all"
            follows += " (--limit 0 counts all)"
        advice.append(
            f"In the {found.n_pool} pool texts {least}: {', '.join(rare)}. Add text "
            f"that mentions them, or {follows}"
        )
    if found.n_repeated:
        advice.append(
            f"{found.n_repeated} of {found.n_dev} dev texts are in the gold, too: "
            "scores on dev would be too good. Keep them apart"
        )
    if found.n_leaked and learns_from_pool:
        advice.append(
            f"{found.n_leaked} pool texts are nearly the same as texts of dev: scores "
            "on dev would be too good. Take them out of the pool"
        )
    for label, (f, support) in sorted(found.teacher_f.items()):
        if support >= FEWEST and f < WEAK and label not in found.new:
            advice.append(
                f"The teacher's F for {label} on dev is {100 * f:.0f} ({support} "
                "entities): its silver would teach mistakes. Mark it in the gold, and "
                "list it in labels"
            )
    return advice


def advise_on_rate(training: Mapping[str, Any], column: bool = False) -> List[str]:
    """Tell if the learning rate does not end where the training does, or is one for
    training from scratch.

    training (Mapping[str, Any]): The [training] section, interpolated.
    column (bool): Whether new labels get weights of their own.
    RETURNS (List[str]): The advice, if any.
    """
    rate = rate_schedule(training["optimizer"])
    schedule = rate if isinstance(rate, dict) else {"initial_rate": rate}
    last, steps = schedule.get("total_steps"), training["max_steps"]
    advice = []
    if last and steps and last != steps:
        advice.append(
            f"The training has {steps} updates (max_steps), but the rate reaches 0 "
            f"after {last}: set training.optimizer.learn_rate.total_steps to {steps}, "
            "too"
        )
    highest = schedule.get("initial_rate")
    if not isinstance(highest, float):
        return advice
    if column and highest < COPY_LEARN_RATE:
        advice.append(
            f"New weights learn little at a rate of {highest:g}: init-config writes "
            f"{COLUMN_LEARN_RATE} (where gold is small, {COPY_LEARN_RATE}), batches of "
            f"{GOLD_WORDS} words, and as many updates as the gold needs. Copy "
            "[training], [training.optimizer] and [training.batcher] from such a config"
        )
    if not column and highest >= COLUMN_LEARN_RATE:
        advice.append(
            f"All weights learn, the old ones, too, at a rate of {highest:g}, which is "
            f"for new weights: set the rate to {LEARN_RATE}, as init-config does"
        )
    return advice


def advise_on_weights(config: Mapping[str, Any], teacher: Teacher) -> List[str]:
    """Tell if the checkpoint is chosen by scores of what does not learn.

    config (Mapping[str, Any]): The config, interpolated.
    teacher (Teacher): The teacher.
    RETURNS (List[str]): The advice, if any.
    """
    weights = config["training"]["score_weights"]
    chosen_by = {key: weight for key, weight in weights.items() if weight}
    still = {*config["training"]["frozen_components"], teacher.component}
    learning = set(config["nlp"]["pipeline"]) - still
    for name in learning & set(teacher.nlp.component_names):
        for key in scorer.default_score_weights(teacher.nlp, name):
            chosen_by.pop(key, None)
    if set(chosen_by) == {"rehearsal_score"}:
        return []
    told = ", ".join(f"{x} ({y:.2f})" for x, y in chosen_by.items()) or "nothing"
    return [
        f"The checkpoint is chosen by {told}: set rehearsal_score = 1.0 in [training."
        "score_weights], and others to null or 0.0, as init-config does. ents_f would "
        "choose the one that forgot most"
    ]


def advise_on_others(
    pipeline: Iterable[str], teacher: Teacher, still: Collection[str]
) -> List[str]:
    """Tell if other pipes of the base learn, too, by gold that is not for them.

    pipeline (Iterable[str]): The pipes that run during the training.
    teacher (Teacher): The teacher.
    still (Collection[str]): Those of which something is known: they are frozen, or
        known to learn.
    RETURNS (List[str]): The advice, if any.
    """
    others = [
        name
        for name in pipeline
        if name not in {*still, teacher.component}
        if name in teacher.nlp.component_names
        if getattr(teacher.nlp.get_pipe(name), "is_trainable", False)
    ]
    if not others:
        return []
    told = ", ".join(others)
    return [
        f"Other pipes of the base learn, too, and will change: {told}. Add to "
        "[training] frozen_components what has no annotation of its own in the gold"
    ]


def _advise_on_conflicts(found: Diagnosis, column: bool) -> List[str]:
    """Where the teacher has another name for what is new."""
    advice = [
        f"The teacher calls {n} of {found.gold_labels[label]} {label} {theirs}: the "
        f"two compete. To correct {theirs}, list it in labels, too, and mark all of it "
        "in the gold"
        for (label, theirs), n in sorted(found.called.items())
        if label in found.new
        and theirs not in found.new
        and n > MOSTLY * found.gold_labels[label]
    ]
    if column and found.hidden >= HIDDEN:
        advice.append(
            f"{found.hidden:.0%} of the new entities begin inside one of the teacher's "
            "('Party' in 'the Party'): old labels learn to step back, and keep a bit "
            "less. column.step_back = false rules it out, and these are missed then"
        )
    return advice


def _advise_on_labels(found: Diagnosis) -> List[str]:
    """What is odd about the labels of gold and dev."""
    old = set(found.coverage)
    advice = []
    if unmarked := [label for label in found.new if not found.dev_labels[label]]:
        advice.append(
            f"dev never marks {', '.join(unmarked)}: what is found of that there "
            "counts as wrong"
        )
    for label in found.new:
        if 0 < (n := found.dev_labels[label]) < FEWEST_IN_DEV:
            advice.append(
                f"dev marks {label} {n} times: each that is found or missed moves F by "
                f"some {100 / n:.0f} points, and the best checkpoint may be best by "
                f"chance. {FEWEST_IN_DEV} and more tell more"
            )
    if strange := sorted(set(found.dev_labels) - old - set(found.new)):
        advice.append(
            f"dev marks {', '.join(strange)}, which neither the teacher knows nor the "
            "gold teaches"
        )
    by_case = {label.lower(): f"the teacher's {label}" for label in old}
    for label in sorted({*found.new, *found.dev_labels} - old):
        if twin := by_case.get(label.lower()):
            advice.append(f"{label} is another label than {twin}")
        by_case.setdefault(label.lower(), label)
    return advice


def _predict(teacher: Teacher, texts: Iterable[str]) -> List[Tuple[Entity, ...]]:
    return list(predict_entities(teacher.nlp, teacher.pipes, texts))


def _meetings(gold: Sequence[Doc], said: Sequence[Sequence[Entity]]):
    """YIELDS (Tuple[str, str, str]): Text and label of each gold entity that the
    teacher sees, too, and the teacher's label.
    """
    for doc, entities in zip(gold, said, strict=True):
        for ent in doc.ents:
            own = (ent.start_char, ent.end_char, ent.label_)
            for label in sorted({e[2] for e in entities if overlaps(e, [own])}):
                yield ent.text, ent.label_, label


def _only(counts: Counter, labels: Sequence[str]) -> Counter:
    return Counter({label: counts[label] for label in labels})


def _teacher_f(teacher: Teacher, dev: Sequence[Doc]) -> Dict[str, Tuple[float, int]]:
    marked = {ent.label_ for doc in dev for ent in doc.ents} & set(teacher.labels)
    if not marked:
        return {}
    said = _predict(teacher, [doc.text for doc in dev])
    examples = as_examples(teacher.nlp, dev, said)
    scores = {label: scorer.entity_prf(examples, [label]) for label in sorted(marked)}
    return {label: (s.fscore, s.tp + s.fn) for label, s in scores.items()}
