"""The methods: each is a config that `spacy train` runs (`--code` for the rivals)."""

from pathlib import Path
from typing import Callable, Dict, Sequence

import spacy
from spacy.tokens import DocBin
from spacy.vocab import Vocab
from thinc.api import Config

from spacy_rehearse import recipe
from spacy_rehearse.completion import complete
from spacy_rehearse.gold import read_docs
from spacy_rehearse.init_config import make_config
from spacy_rehearse.methods import (
    EWC,
    FROZEN_TOK2VEC,
    L2SP,
    NEW_ROWS,
    UNREGULARIZED,
    completion_alone,
    low_rate,
    nothing_of_the_pool,
    slow_features,
    textbook,
    without_averages,
    without_expert,
    without_margin,
    without_renaming,
    without_silver,
    without_soft,
)
from spacy_rehearse.teacher import predict_entities

from .suites import Step

MEMORY = "memory.jsonl"
ChangeT = Callable[[Config], None]


def write_config(method: str, base: Path, step: Step, output: Path, seed: int) -> None:
    """Write the config of a method.

    method (str): One of METHODS.
    base (Path): The pipeline that learns.
    step (Step): What it learns.
    output (Path): The .cfg to write.
    seed (int): The seed of the training.
    """
    start, *changes = METHODS[method]
    config = start(base, step)
    for change in changes:
        change(config)
    config["system"]["seed"] = seed
    kept = config["initialize"]["components"].get("rehearsal", {}).get("memory")
    if kept:
        kept["path"] = kept["save_to"] = str(output.parent / MEMORY)
    config.to_disk(output)


def naive(base: Path, step: Step) -> Config:
    train, dev = step.folder / "train.spacy", step.folder / "dev.spacy"
    return make_config(str(base), train=train, dev=dev, pool=None, labels=step.labels)


def joint(base: Path, step: Step) -> Config:
    return _joint(base, step, step.folder / "joint.spacy")


def joint_completed(base: Path, step: Step) -> Config:
    """Joint training without people's annotation of old labels in the gold's texts."""
    nlp = spacy.load(base)
    gold, every = (
        list(DocBin().from_disk(step.folder / f"{name}.spacy").get_docs(nlp.vocab))
        for name in ("train", "joint")
    )
    found = predict_entities(nlp, nlp.pipe_names, [doc.text for doc in gold])
    for doc, entities in zip(gold, found, strict=True):
        complete(doc, entities, step.labels)
    earlier = every[: -len(gold)]  # suites.py writes the gold last
    train = step.folder / f"joint-{base.parent.name}.spacy"
    DocBin(docs=earlier + gold).to_disk(train)
    return _joint(base, step, train)


def _joint(base: Path, step: Step, train: Path) -> Config:
    dev = step.folder / "joint_dev.spacy"
    config = make_config(str(base), train=train, dev=dev, pool=None, labels=step.labels)
    # Texts without a new entity stay, where gold is sparse, too: they mark old ones.
    config["corpora"]["train"]["augmenter"] = None
    gold = recipe.measure_gold(read_docs(train, Vocab()))
    length = recipe.training_length(gold.n_words)
    config["training"].update(length)
    rate = recipe.rate_schedule(config["training"]["optimizer"])
    rate["total_steps"] = length["max_steps"]
    return config


def rehearsed(base: Path, step: Step) -> Config:
    return _rehearsed(base, step, step.folder / "pool.jsonl", column=True)


def in_place(base: Path, step: Step) -> Config:
    """No column: all weights learn, and distillation holds them."""
    return _rehearsed(base, step, step.folder / "pool.jsonl", column=False)


def no_pool(base: Path, step: Step) -> Config:
    """No raw text: dev stands for the pool, to choose a checkpoint by."""
    return _rehearsed(base, step, step.folder / "dev.spacy", column=True)


def in_place_no_pool(base: Path, step: Step) -> Config:
    return _rehearsed(base, step, step.folder / "dev.spacy", column=False)


def _rehearsed(base: Path, step: Step, pool: Path, *, column: bool) -> Config:
    return make_config(
        str(base),
        train=step.folder / "train.spacy",
        dev=step.folder / "dev.spacy",
        pool=[pool],
        labels=step.labels,
        column=column,
    )


def without_lean(config: Config) -> None:
    config["initialize"]["components"]["rehearsal"]["expert"]["lean"] = 0.0


def made_up_names(config: Config) -> None:
    """What the default does where most names occur once, for a rival."""
    config["components"]["rehearsal"]["rename"] = 0.5


def memory(capacity: int) -> ChangeT:
    """Human annotation of earlier steps, replayed. The file is the run's own."""

    def change(config: Config) -> None:
        config["initialize"]["components"]["rehearsal"]["memory"] = {
            "path": MEMORY,
            "save_to": MEMORY,
            "capacity": capacity,
            "policy": {"@misc": "spacy-rehearse.Rare.v1"},
        }

    return change


def rival(factory: str) -> ChangeT:
    def change(config: Config) -> None:
        textbook(config)
        config["components"]["rehearsal"]["factory"] = factory

    return change


def little_silver(config: Config) -> None:
    """With a tenth as much silver as gold, it lets no ORG be learnt (dev of btc)."""
    config["components"]["rehearsal"]["ratio"] = 0.02


METHODS: Dict[str, Sequence[Callable]] = {
    "naive": (naive,),
    "naive-low-rate": (naive, low_rate),
    "self-training": (in_place_no_pool, completion_alone),
    "self-training-made-up-names": (
        in_place_no_pool,
        completion_alone,
        made_up_names,
    ),
    "extendner": (in_place_no_pool, rival("extendner"), without_silver),
    "frozen-tok2vec-no-pool": (
        in_place_no_pool,
        textbook,
        without_silver,
        FROZEN_TOK2VEC,
    ),
    "new-rows-no-pool": (in_place_no_pool, textbook, without_silver, NEW_ROWS),
    "l2sp-no-pool": (in_place_no_pool, completion_alone, L2SP),
    "ewc-no-pool": (in_place_no_pool, completion_alone, EWC),
    "slow-tok2vec-no-pool": (in_place_no_pool, completion_alone, slow_features),
    "rehearsal-no-pool": (no_pool, nothing_of_the_pool),
    "nlp-rehearse": (in_place, rival("nlp_rehearse"), little_silver),
    "textbook": (in_place, textbook),
    "textbook-made-up-names": (in_place, textbook, made_up_names),
    "frozen-tok2vec": (in_place, textbook, FROZEN_TOK2VEC),
    "new-rows": (in_place, textbook, NEW_ROWS),
    "rehearsal": (rehearsed,),
    "rehearsal-without-expert": (rehearsed, without_expert),
    "rehearsal-without-silver": (rehearsed, nothing_of_the_pool),
    "rehearsal-without-averages": (rehearsed, without_averages),
    "rehearsal-without-margin": (rehearsed, without_margin),
    "rehearsal-without-renaming": (rehearsed, without_renaming),
    "rehearsal-without-lean": (rehearsed, without_lean),
    "distillation": (in_place, UNREGULARIZED),
    "distillation-memory-100": (in_place, UNREGULARIZED, memory(100)),
    "distillation-memory-500": (in_place, UNREGULARIZED, memory(500)),
    "distillation-l2sp": (in_place, L2SP),
    "distillation-ewc": (in_place, EWC),
    "distillation-slow-tok2vec": (in_place, UNREGULARIZED, slow_features),
    "distillation-without-soft": (in_place, UNREGULARIZED, without_soft),
    "joint": (joint,),
    "joint-completed": (joint_completed,),
}
# Made of the naive run's pipeline and the base, without training.
TWO_PIPES = ("two-pipes-base-first", "two-pipes-expert-first")
