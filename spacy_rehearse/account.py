"""The account of a preparation: for meta.json, and for whoever starts the training."""

from hashlib import sha256
from typing import Any, Dict, List, Sequence

from .about import __version__
from .expert import miss_most
from .findings import RELIABLE
from .gold import Gold
from .heldout import Split
from .session import Session
from .silver import Shard


def about_training(
    session: Session, shards: Sequence[Shard], split: Split, settings: Dict[str, Any]
) -> Dict[str, Any]:
    """Tell what a training worked with, without any text.

    session (Session): The training run.
    shards (Sequence[Shard]): The pool.
    split (Split): What is trained on, and what is held out.
    settings (Dict[str, Any]): The settings.
    RETURNS (Dict[str, Any]): What meta.json says.
    """
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
        "settings": settings,
    }


def summarise(
    session: Session, shards: Sequence[Shard], split: Split, gold: Gold
) -> List[str]:
    """Tell in a few lines what the training starts with.

    session (Session): The training run.
    shards (Sequence[Shard]): The pool.
    split (Split): What is trained on, and what is held out.
    gold (Gold): The gold.
    RETURNS (List[str]): The lines.
    """
    n_cached = sum(shard.n_texts for shard in shards if not shard.is_new)
    lines = [
        f"Learning {', '.join(session.labels)} from {len(gold.examples)} gold texts, "
        f"keeping {len(session.old_labels)} labels of {session.teacher.name}",
        f"Silver: {split.n_training} texts to train on, {len(split.heldout)} held out, "
        f"{split.n_left_out} near-duplicates left out ({n_cached} from the cache)",
    ]
    if session.experts:
        scores = [f"{100 * expert.score.fscore:.0f}" for expert in session.experts]
        lines.append(f"Experts: F {' and '.join(scores)} on held-out gold")
        if miss_most(session.experts):
            lean = session.experts[0].lean
            lines.append(
                f"They miss most of it: what they lean to (by {lean:g}) is no `O` in "
                f"silver, and the margin is {session.margin:g}"
            )
        elif session.expected_precision < RELIABLE:
            lines.append(
                "They are not asked about the pool: most of what they would find there "
                "is wrong. The teacher's word counts, and nothing has to be done"
            )
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
