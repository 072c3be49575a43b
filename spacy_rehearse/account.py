"""The account of a preparation: for meta.json, and for whoever starts the training."""

from hashlib import sha256
from statistics import mean
from typing import Any, Collection, Dict, List, Sequence, Tuple

from spacy.language import Language

from .about import __version__
from .diagnose import advise_on_others, advise_on_rate
from .expert import miss_most
from .fitting import others_that_learn
from .heldout import Split
from .inputs import Inputs
from .listeners import own_copy
from .recipe import COLUMN_LEARN_RATE
from .renaming import Renamer, share_of_new_names
from .session import Session
from .settings import Settings
from .silver import Shard
from .trial import are_asked


def describe(
    nlp: Language,
    session: Session,
    how: Settings,
    inputs: Inputs,
    *,
    shards: Sequence[Shard],
    split: Split,
    hidden: float,
    n_replayed: int,
) -> Tuple[Dict[str, Any], List[str]]:
    """Tell what a training works with, without any text.

    nlp (Language): The student.
    session (Session): The training run.
    how (Settings): What the user asked for.
    inputs (Inputs): What there was.
    shards (Sequence[Shard]): The pool.
    split (Split): What is trained on, and what is held out.
    hidden (float): Share of the new entities that the teacher's hide.
    n_replayed (int): Number of texts in the memory.
    RETURNS (Tuple[Dict[str, Any], List[str]]): What meta.json says, and a few lines
        for whoever started the training.
    """
    settings = _settings(session, how, inputs, hidden, n_replayed)
    about = _about(session, shards, split, settings)
    summary = _summarise(session, shards, split, inputs)
    return about, summary + _explain(nlp, session, how, inputs, hidden, n_replayed)


def _settings(
    session: Session, how: Settings, inputs: Inputs, hidden: float, n_replayed: int
) -> Dict[str, Any]:
    """What was done, where the settings left it open."""
    expert = dict(how.expert) if how.expert else None
    if expert and session.experts:  # how far they lean in the pool
        asked = are_asked(session.experts, session.trial)
        expert["lean"] = session.experts[0].lean if asked else 0.0
    return {
        "component": how.component,
        "ratio": how.ratio,
        "heldout": how.heldout,
        "expert": expert,
        "soft": session.soft,
        "margin": session.margin,
        "lead": session.lead,
        "averages_longer": session.averages_longer,
        "rename": session.renamer.made_up if session.renamer else 0.0,
        "swapped": session.renamer.swapped if session.renamer else 0.0,
        "column": session.column,
        "seed": inputs.seed,
        "replayed": n_replayed,
        "hidden_share": round(hidden, 3),
    }


def _about(
    session: Session, shards: Sequence[Shard], split: Split, settings: Dict[str, Any]
) -> Dict[str, Any]:
    texts = sha256("".join(shard.key for shard in shards).encode()).hexdigest()
    teacher = session.teacher
    return {
        "version": __version__,
        "teacher": {
            "name": teacher.name,
            "version": teacher.nlp.meta["version"],
            "fingerprint": teacher.fingerprint,
        },
        "pool": {
            "texts": sum(shard.n_texts for shard in shards),
            "words": sum(shard.n_words for shard in shards),
            "sha256": texts,
            "trained_on": split.n_training,
            "held_out": len(split.heldout),
            "near_duplicates": split.n_left_out,
        },
        "labels": list(session.labels),
        "corrected": _all_corrected(session),
        "settings": settings,
    }


def _all_corrected(session: Session) -> List[str]:
    """RETURNS (List[str]): Labels that were corrected, now or in an earlier round, once
    for each time.
    """
    teacher = session.teacher
    earlier = teacher.nlp.meta.get("spacy_rehearse", {}).get("corrected", [])
    return sorted([*earlier, *teacher.corrected(session.labels)])


def _summarise(
    session: Session, shards: Sequence[Shard], split: Split, inputs: Inputs
) -> List[str]:
    n_cached = sum(shard.n_texts for shard in shards if not shard.is_new)
    gold = inputs.gold
    lines = [
        f"Learning {', '.join(session.labels)} from {len(gold.examples)} gold texts, "
        f"keeping {len(session.old_labels)} labels of {session.teacher.name}",
        f"Silver: {split.n_training} texts to train on, {len(split.heldout)} held out, "
        f"{split.n_left_out} near-duplicates left out; {n_cached} of all had been "
        "labelled before",
    ]
    if session.experts:
        scores = [f"{100 * expert.score.fscore:.0f}" for expert in session.experts]
        lines.append(f"Experts: F {' and '.join(scores)} on held-out gold")
        lines += _explain_experts(session, inputs.corrected)
    if session.margin:
        lines.append(f"New labels learn with a margin over O ({session.margin:g})")
    if session.lead != 1.0:
        lines.append(
            "By how much a new label's score is above that of O counts "
            f"{session.lead:g} times where an old label competes"
        )
    if session.averages_longer:
        lines.append("Gold is scarce: weights are averaged over all of the training")
    if session.overlaps:
        shares = [f"{x} {n} of {m}" for x, (n, m) in sorted(session.overlaps.items())]
        lines.append(
            "Where the teacher sees something else in held-out gold, experts are "
            f"right: {', '.join(shares)}"
        )
    if gold.n_mended:
        lines.append(
            f"Gold: {gold.n_mended} entities with white space at an edge, or across "
            "the start of a sentence, are mended or set aside"
        )
    return lines


def _explain_experts(session: Session, corrected: Collection[str]) -> List[str]:
    """Tell what they say of the pool, and why not more."""
    lean, trial = session.experts[0].lean, session.trial
    is_scarce = miss_most(session.experts)
    recall = mean([expert.score.recall for expert in session.experts])
    lines = [f"They find {recall:.0%} of it: gold is scarce"] if is_scarce else []
    if trial.contested:
        lines.append(
            f"The teacher calls {trial.contested:.0%} of what they find in the pool "
            f"something else, and {trial.contested_in_gold:.0%} of what gold marks"
        )
    if are_asked(session.experts, trial):
        if lean:
            lines.append(f"What they may miss in silver is left open (lean {lean:g})")
        return lines
    wrong = "Most of what they would find in the pool is wrong"
    if is_scarce:
        wrong += (
            ". It is another kind of text, where they find "
            f"{trial.likeness:.0%} of what they do in as much gold, less what the "
            "teacher contests"
        )
    if corrected:
        names = ", ".join(sorted(corrected))
        return [
            *lines,
            f"{wrong}: they are asked only whether the teacher's {names} is right "
            "there. What none of them confirms is unknown",
        ]
    return [*lines, f"{wrong}: they are not asked. The teacher's word counts there"]


def _explain_step_back(corrected: Collection[str], hidden: float, how: Settings) -> str:
    if (how.column or {}).get("step_back"):
        why = "Old labels learn to step back, as step_back = true asks for"
    elif corrected:
        why = (
            f"{', '.join(sorted(corrected))}: the teacher knows it already, and is "
            "corrected. Where it was wrong, O has to win and no other label, so the "
            "scores of all learn"
        )
    else:
        why = (
            f"{hidden:.0%} of the new entities begin inside one of the teacher's: old "
            "labels learn to step back there"
        )
    where = f"[initialize.components.{how.name}.column]"
    without = (
        "leaves their scores as they are, and only what is corrected can change"
        if corrected
        else "rules that out, at the cost of such entities"
    )
    return (
        f"{why}. Elsewhere distillation holds them, but some will change. step_back = "
        f"false in {where} {without}"
    )


def _explain_renaming(renamer: Renamer, labels: Sequence[str], inputs: Inputs) -> str:
    swapped = f"{renamer.swapped:.0%} of {{}} get the name of another of their label"
    if not renamer.made_up:
        return f"{swapped.format('the new entities')}, each time they are learnt"
    docs = [eg.reference for eg in inputs.gold.examples]
    labels = [x for x in labels if x in renamer.labels]
    new = share_of_new_names(docs, labels)
    return (
        f"{new:.0%} of the names of {', '.join(labels)} occur once in the gold, so as "
        f"many to come are new: {renamer.made_up:.0%} of these entities are learnt "
        "under made-up names"
        + (f", {swapped.format('the rest')}" if renamer.swapped else "")
    )


def _explain_siblings(nlp: Language, session: Session) -> List[str]:
    component = session.teacher.component
    lines = []
    for name in session.upstream:
        shared: Any = nlp.get_pipe(name)
        others = [x for x in shared.listening_components if x != component]
        if others and name not in session.frozen:
            lines.append(
                f"{name} learns, and {', '.join(others)} may get worse by it, unless "
                f"the gold teaches them, too. Add {name} to [training] "
                "frozen_components and annotating_components, or give "
                f"{component} its own copy: {own_copy(nlp, component)}"
            )
    return lines


def _explain(
    nlp: Language,
    session: Session,
    how: Settings,
    inputs: Inputs,
    hidden: float,
    n_replayed: int,
) -> List[str]:
    """Tell what is done otherwise than the settings say, and why."""
    training = nlp.config.interpolate()["training"]
    lines = advise_on_rate(training, column=session.column is not None)
    others = others_that_learn(nlp, how, inputs)
    lines += advise_on_others(others, inputs.teacher, inputs.frozen)
    if inputs.memory.exemplars:
        n_gold = len({x.text for x in inputs.memory.exemplars}) - n_replayed
        more = f" ({n_gold} more are in this round's gold)" if n_gold else ""
        lines.append(f"Memory: {n_replayed} texts of other rounds{more}")
    elif how.memory:
        at = f" at {how.memory['path']}" if how.memory.get("path") else ""
        lines.append(f"Memory: none yet{at}, so this is taken for the first round")
        if "spacy_rehearse" in inputs.teacher.nlp.meta:
            lines[-1] += ". But the base was rehearsed before: is the path right?"
    if session.column and session.column["copy"]:
        where = f"[initialize.components.{how.name}.column]"
        lines.append(
            "New labels learn with a copy of the base's weights. To predict, that "
            f"takes the time of one more pipeline; copy = false in {where}, with "
            f"{COLUMN_LEARN_RATE:g} for initial_rate, takes less, and learns less"
        )
    if session.column and session.column["step_back"]:
        lines.append(_explain_step_back(inputs.corrected, hidden, how))
    if session.renamer:
        lines.append(_explain_renaming(session.renamer, session.labels, inputs))
    elif others:
        if how.rename or (how.rename is None and session.column):
            lines.append(f"No names are made up: {', '.join(others)} would learn them")
    if how.column is not None and inputs.no_column:
        lines.append(f"No column is added: {inputs.no_column}")
    lines += _explain_siblings(nlp, session)
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
