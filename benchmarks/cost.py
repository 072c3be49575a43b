"""Training time with rehearsal, next to naive fine-tuning, for the same gold words.

    python -m benchmarks.cost BASE TRAIN DEV POOL

Both train on the same batches of gold, in turns, in one process and one thread: a busy
machine slows down both alike. The ratio is that of all rounds together: experts are
asked about many texts at once, not at each update. Training them is timed, too.
"""

import itertools
import time
from pathlib import Path
from typing import Any, Iterator, List

import typer
from spacy.language import Language
from spacy.training import Example
from spacy.training.initialize import init_nlp
from spacy.util import registry
from thinc.api import Config, Optimizer

from spacy_rehearse import prepare
from spacy_rehearse.init_config import make_config


def main(
    base: str, train: Path, dev: Path, pool: Path, rounds: int = 6, updates: int = 25
) -> None:
    """Print the time of an update with rehearsal, divided by that of a naive one."""
    experts = timed(prepare, "train_experts")
    runs = []
    for texts in (None, [pool]):
        config = make_config(base, train=train, dev=dev, pool=texts)
        runs.append(training_run(config))
    for run in runs:  # student and teacher are compared once, at the first update
        update(*run, 1)
    times = [[update(*run, updates) for run in runs] for _ in range(rounds)]
    naive, rehearsed = map(sum, zip(*times, strict=True))
    typer.echo(f"training time / naive: {rehearsed / naive:.2f}")
    whole = config["training"]["max_steps"] * rehearsed / rounds / updates
    share = sum(experts) / (sum(experts) + whole)
    typer.echo(f"experts, share of experts and updates: {share:.2f}")


def timed(module: Any, name: str) -> List[float]:
    """RETURNS (List[float]): CPU seconds of each call of a function, as they come."""
    function, calls = getattr(module, name), []

    def wrapped(*args, **kwargs):
        start = time.process_time()
        result = function(*args, **kwargs)
        calls.append(time.process_time() - start)
        return result

    setattr(module, name, wrapped)
    return calls


def training_run(config: Config):
    """RETURNS (Tuple): Pipeline, optimizer, endless batches and the dropout rate."""
    nlp = init_nlp(config)
    training = registry.resolve(nlp.config.interpolate()["training"])
    corpora = registry.resolve(nlp.config.interpolate()["corpora"])
    examples = list(corpora["train"](nlp))
    batches = itertools.cycle(training["batcher"](itertools.cycle(examples)))
    return nlp, training["optimizer"], batches, training["dropout"]


def update(
    nlp: Language,
    optimizer: Optimizer,
    batches: Iterator[List[Example]],
    dropout: float,
    n_updates: int,
) -> float:
    """RETURNS (float): CPU time of some updates, as spaCy's own loop does them."""
    training = nlp.config["training"]
    start = time.process_time()
    for batch in itertools.islice(batches, n_updates):
        gradients_only: Any = False
        nlp.update(
            batch,
            drop=dropout,
            sgd=gradients_only,
            losses={},
            exclude=training["frozen_components"],
            annotates=training["annotating_components"],
        )
        for name, pipe in nlp.pipeline:
            if name not in training["frozen_components"]:
                pipe.finish_update(optimizer)  # type: ignore[attr-defined]
    return time.process_time() - start


if __name__ == "__main__":
    typer.run(main)
