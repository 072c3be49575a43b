"""The recipe: training settings, chosen by measurement (docs/recipe.md)."""

import math
from collections import Counter
from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
)

from spacy.tokens import Doc

# As much silver as gold. More keeps a little more of the old labels and slows down the
# learning of the new ones (and the training) a lot.
RATIO = 1.0
# Characters of a text of the pool: a shorter one is no sentence, a longer one is cut.
SHORTEST_TEXT, LONGEST_TEXT = 20, 2000
SHORTEST_DENSE = 7  # where a character says as much as three of others
DENSE = {"zh", "ja", "ko", "th", "lo", "my", "km"}
HELDOUT = 0.1  # of the pool
HELDOUT_OF_DEV = 0.5
SOFT = 1.0  # with half, old labels drift; with 5, the new one is hardly learnt
GOLD_WORDS = 500  # a batch
# Where fewer gold texts than SPARSE have an entity, or fewer than this part of dev's
# share, so many others are kept for each.
SPARSE, RARER, SILENT = 0.08, 0.5, 3.0
EPOCHS = 4  # passes over the gold: dev is at its best after two to five
FEWEST_STEPS, MOST_STEPS = 200, 20_000
HIDDEN = 0.15  # share of the gold from which on old labels have to step back
# Of small gold some labels are learnt in 60 updates, others in 800. For old labels to
# step back takes as long.
SMALL_GOLD = 5_000  # words
MORE_STEPS = 800
# Below one of both, pretrained weights learn more than new ones: a column is a copy of
# the base. It learns as late as other small gold does.
COPIED_GOLD = 8_000  # words
COPIED_ENTITIES = 250
EXPERT_WORDS = 125_000  # of gold, again and again: two of them take less than updates
EVALUATIONS = 10  # during the training
# Lower, and the new label is not learnt in time. Distillation holds the old ones. It
# falls to 0 at the end: then the drift settles.
LEARN_RATE = 0.003
COLUMN_LEARN_RATE = 0.006  # new weights start from nothing, and can't harm the old ones
COPY_LEARN_RATE = 0.003  # those of a copy don't
TRANSFORMER_LEARN_RATE = 5e-5  # as in spaCy's own configs
WARMUP_STEPS = 50
MEMORY_TEXTS = 500  # of all rounds together
# Few entities are learnt by heart before they are understood: more dropout, and a pull
# back to the start, help there. Where there are more, the pull costs the new label.
FEW_ENTITIES = 500
PULL = 10.0  # strength of L2-SP
# Where experts miss most of the gold held out from them:
LEAN = 6.0  # what they may have missed is no `O`
MARGIN = 1.5  # new labels are found more often; elsewhere, they would only flood
MARGIN_ALONE = 0.75  # without silver, whose `O` pulls them down, they need less

# What a copy learns of a few hundred entities hardly ever outbids a base that has a
# word of its own. Its lead over `O` counts so many times (lead.py).
LEAD_OF_COPY = 5.0
LEAD_GROWS = 100  # updates until it is that

# A small column learns what the old entities have in common with the new ones, and
# little by heart. A wide one takes more time to predict, and learns more only where it
# can't learn by heart, as names are made up, and gold is not scarce. Where it is, one
# layer learns as much as two, and takes less time.
NARROW = {"width": 32, "depth": 2, "hidden": 16}
SHALLOW = {**NARROW, "depth": 1}
WIDE = {"width": 64, "depth": 2, "hidden": 64}

# Where most names occur once, most are new to the pipeline (renaming.py).
MOSTLY_NEW = 0.5  # share of them; below, names are worth to be learnt by heart
MADE_UP = 0.3  # share of the entities with a made-up name, each time
SWAPPED = 0.3  # share of the others that stand in each other's place
MADE_UP_ALONE = 0.5  # where none do: in a copy, without silver, if gold is scarce
# Pretrained weights know the words that names are made of ("University"). Of fewer
# names than these, they learn more if none is made up.
FEW_NAMES = 120


class GoldSize(NamedTuple):
    """How much gold there is.

    n_docs (int): Number of texts.
    n_words (int): Number of tokens.
    labels (Counter): Number of entities by label.
    """

    n_docs: int
    n_words: int
    labels: Counter

    @property
    def has_few(self) -> bool:
        """Whether its entities are so few that they are learnt by heart."""
        return self.labels.total() < FEW_ENTITIES

    def only(self, labels: Iterable[str]) -> "GoldSize":
        """RETURNS (GoldSize): The same, without the entities of other labels."""
        return self._replace(labels=Counter({x: self.labels[x] for x in labels}))


def measure_gold(docs: Sequence[Doc]) -> GoldSize:
    """Count docs, tokens and entities.

    docs (Sequence[Doc]): The gold.
    RETURNS (GoldSize): The counts.
    """
    labels = Counter(ent.label_ for doc in docs for ent in doc.ents)
    return GoldSize(len(docs), sum(len(doc) for doc in docs), labels)


def shortest_text(lang: Optional[str]) -> int:
    """RETURNS (int): Characters of the shortest text of a pool in a language."""
    return SHORTEST_DENSE if lang in DENSE else SHORTEST_TEXT


def must_step_back(hidden: float, corrected: Collection[str]) -> bool:
    """Find out whether scores of old labels have to change.

    hidden (float): Share of the new entities that the base's entities hide.
    corrected (Collection[str]): Old labels that are learnt anew: where one of them was
        wrong, `O` has to win, and not the next best of the others.
    RETURNS (bool): Whether they have to.
    """
    return hidden >= HIDDEN or bool(corrected)


def should_copy(n_words: int, n_entities: int) -> bool:
    """Find out whether a copy of the base learns more than a new column.

    n_words (int): Number of tokens of the gold.
    n_entities (int): How often it marks the new labels.
    RETURNS (bool): Whether it does.
    """
    return n_words < COPIED_GOLD or n_entities < COPIED_ENTITIES


def training_length(
    n_words: int,
    *,
    copy: bool = False,
    step_back: bool = False,
    transformer: bool = False,
) -> Dict[str, int]:
    """Choose how long to train, by the size of the gold.

    n_words (int): Number of tokens of the gold.
    copy (bool): Whether it is so small that a copy of the base learns it best.
    step_back (bool): Whether old labels have to step back.
    transformer (bool): Whether a transformer learns: an update takes it long.
    RETURNS (Dict[str, int]): max_steps, eval_frequency and patience, in updates.
    """
    steps = EPOCHS * math.ceil(n_words / GOLD_WORDS)
    fewest = MORE_STEPS if step_back else FEWEST_STEPS
    steps = min(max(steps, fewest), MOST_STEPS)
    frequency = max(10, round(steps / EVALUATIONS / 5) * 5)
    if (copy or n_words < SMALL_GOLD) and not transformer:
        steps = max(steps, MORE_STEPS)  # scored as often: an early one may be best
    steps = frequency * math.ceil(steps / frequency)
    return {
        "max_steps": steps,
        "eval_frequency": frequency,
        # Checkpoints are at their best when the rate has fallen, and dev is small: one
        # that is good by chance must not end the training.
        "patience": steps,
    }


def expert_settings(gold: GoldSize) -> Dict[str, Any]:
    """Choose how long experts may train, by the size of the gold.

    gold (GoldSize): The gold, with the new labels only.
    RETURNS (Dict[str, Any]): The [initialize.components.rehearsal.expert] block. They
        stop before, when held-out gold is at its best.
    """
    passes = round(EXPERT_WORDS / gold.n_words)
    return {"n_experts": 2, "max_passes": min(max(passes, 2), 12), "lean": None}


def memory_settings(path: str) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): The [initialize.components.rehearsal.memory] block, for
    a file that all rounds share.
    """
    policy = {"@misc": "spacy-rehearse.Rare.v1"}
    return {"path": path, "save_to": path, "capacity": MEMORY_TEXTS, "policy": policy}


def dropout(gold: GoldSize) -> float:
    """Choose the dropout rate, by the size of the gold.

    gold (GoldSize): The gold, with the new labels only.
    RETURNS (float): The rate. Distillation on silver goes without.
    """
    return 0.2 if gold.has_few else 0.1


def shares_renamed(
    n_names: int, *, copy: bool, silver: bool, scarce: bool
) -> Dict[str, float]:
    """Choose how many names are learnt under other ones, where most occur once.

    n_names (int): How many there are in the gold.
    copy (bool): Whether they are learnt in a copy of the base.
    silver (bool): Whether there is silver.
    scarce (bool): Whether gold is.
    RETURNS (Dict[str, float]): The shares that a Renamer takes.
    """
    if copy and n_names < FEW_NAMES:
        return {"made_up": 0.0, "swapped": SWAPPED}
    if copy or scarce or not silver:
        return {"made_up": MADE_UP_ALONE, "swapped": 0.0}
    return {"made_up": MADE_UP, "swapped": SWAPPED}


def regularizers(gold: GoldSize) -> Dict[str, Any]:
    """Make the [components.rehearsal.regularizers] block, by the size of the gold.

    gold (GoldSize): The gold, with the new labels only.
    RETURNS (Dict[str, Any]): The block. It may be empty.
    """
    if not gold.has_few:
        return {}
    return {"l2sp": {"@misc": "spacy-rehearse.L2SP.v1", "strength": PULL}}


def batcher() -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): The [training.batcher] block: words of gold."""
    return {
        "@batchers": "spacy.batch_by_words.v1",
        "size": GOLD_WORDS,
        "tolerance": 0.2,
        "discard_oversize": False,
        "get_length": None,
    }


def rate_schedule(optimizer: Mapping[str, Any]) -> Any:
    """RETURNS (Any): The learn_rate of an optimizer's block, or of the one that it
    wraps.
    """
    return optimizer.get("learn_rate", optimizer.get("optimizer", {}).get("learn_rate"))


def optimizer(max_steps: int, learn_rate: float) -> Dict[str, Any]:
    """Make the [training.optimizer] block.

    max_steps (int): Number of updates.
    learn_rate (float): The highest learning rate.
    RETURNS (Dict[str, Any]): The block. Averaged parameters keep more of the old
        labels; the learning rate falls to 0 at the last update.
    """
    return {
        "@optimizers": "Adam.v1",
        "beta1": 0.9,
        "beta2": 0.999,
        "L2_is_weight_decay": True,
        "L2": 0.01,
        "grad_clip": 1.0,
        "use_averages": True,
        "eps": 1e-8,
        "learn_rate": {
            "@schedules": "warmup_linear.v1",
            "warmup_steps": WARMUP_STEPS,
            "total_steps": max_steps,
            "initial_rate": learn_rate,
        },
    }
