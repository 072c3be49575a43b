"""The methods: each is a config that `spacy train` runs (`--code` for the rivals)."""

from pathlib import Path
from typing import Callable, Dict, Sequence

from thinc.api import Config

from spacy_rehearse.init_config import make_config

from .suites import Step

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
    config.to_disk(output)


def naive(base: Path, step: Step) -> Config:
    train, dev = step.folder / "train.spacy", step.folder / "dev.spacy"
    return make_config(str(base), train=train, dev=dev, pool=None, labels=step.labels)


def joint(base: Path, step: Step) -> Config:
    train, dev = step.folder / "joint.spacy", step.folder / "joint_dev.spacy"
    return make_config(str(base), train=train, dev=dev, pool=None, labels=step.labels)


def rehearsed(base: Path, step: Step) -> Config:
    return _rehearsed(base, step, [step.folder / "pool.jsonl"])


def no_pool(base: Path, step: Step) -> Config:
    """Only the gold's own texts, labelled by the teacher: the pool is the gold."""
    config = _rehearsed(base, step, [step.folder / "train.spacy"])
    textbook(config)
    config["components"]["rehearsal"]["ratio"] = 0.0
    return config


def _rehearsed(base: Path, step: Step, pool: Sequence[Path]) -> Config:
    return make_config(
        str(base),
        train=step.folder / "train.spacy",
        dev=step.folder / "dev.spacy",
        pool=pool,
        labels=step.labels,
    )


def low_rate(config: Config) -> None:
    config["training"]["optimizer"]["learn_rate"]["initial_rate"] /= 10


def textbook(config: Config) -> None:
    """Honnibal 2017: silver as if it were gold, one to one, and nothing else."""
    config["components"]["rehearsal"].update(ratio=1.0, soft=0.0, regularizers={})
    without_expert(config)


def without_expert(config: Config) -> None:
    config["initialize"]["components"]["rehearsal"]["expert"] = None


def without_soft(config: Config) -> None:
    config["components"]["rehearsal"]["soft"] = 0.0


def without_l2sp(config: Config) -> None:
    config["components"]["rehearsal"]["regularizers"] = {}


def without_averages(config: Config) -> None:
    config["training"]["optimizer"]["use_averages"] = False


def rival(factory: str) -> ChangeT:
    def change(config: Config) -> None:
        without_expert(config)  # a rival asks none, nor is it pulled back
        without_l2sp(config)
        config["components"]["rehearsal"]["factory"] = factory

    return change


METHODS: Dict[str, Sequence[Callable]] = {
    "naive": (naive,),
    "naive-low-rate": (naive, low_rate),
    "self-training": (no_pool,),
    "extendner": (no_pool, rival("extendner")),
    "nlp-rehearse": (rehearsed, rival("nlp_rehearse")),
    "textbook": (rehearsed, textbook),
    "rehearsal": (rehearsed,),
    "rehearsal-without-soft": (rehearsed, without_soft),
    "rehearsal-without-expert": (rehearsed, without_expert),
    "rehearsal-without-l2sp": (rehearsed, without_l2sp),
    "rehearsal-without-averages": (rehearsed, without_averages),
    "joint": (joint,),
}
# Made of the naive run's pipeline and the base, without training.
TWO_PIPES = ("two-pipes-base-first", "two-pipes-expert-first")
