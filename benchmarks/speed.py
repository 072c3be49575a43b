"""Prediction time and size of two NER pipes, next to one.

    python -m benchmarks.speed STUDENT BASE EXPERT TEXTS.jsonl

The pipelines take turns on 1,000 texts, in one process and one thread: both in batches
of 256, as `init-config` sets for a column, and both of 1,000, spaCy's default. Where in
memory its weights lie can make a pipeline a quarter slower, as long as it is loaded: so
both are loaded anew for each round. That, and other work on the machine, only ever adds
time: so of each one the fastest third of the rounds counts.
"""

import json
import statistics
import time
from pathlib import Path
from typing import Dict, List

import spacy
import typer
from spacy.language import Language

from .job import two_pipes
from .methods import TWO_PIPES

BATCH_SIZES = 256, 1000


def main(
    student: Path,
    base: Path,
    expert: Path,
    texts: Path,
    rounds: int = 15,
    n: int = 1000,
) -> None:
    """Print time and size of one pipe, divided by those of two."""
    lines = texts.read_text("utf8").splitlines()[:n]
    sample = [json.loads(line)["text"] for line in lines]
    times: Dict[int, List[List[float]]] = {size: [] for size in BATCH_SIZES}
    for _ in range(rounds):
        both = spacy.load(student), two_pipes(base, expert, TWO_PIPES[0])
        for nlp in both:
            seconds(nlp, sample, BATCH_SIZES[0])  # the first time takes longer
        for size, measured in times.items():
            measured.append([seconds(nlp, sample, size) for nlp in both])
    for size, measured in times.items():
        ours, theirs = (
            statistics.mean(sorted(of_one)[: rounds // 3 or 1])
            for of_one in zip(*measured, strict=True)
        )
        typer.echo(f"time, in batches of {size}: {ours / theirs:.2f}")
    ours, theirs = map(n_parameters, both)
    typer.echo(f"size of weights: {ours / theirs:.2f}")


def seconds(nlp: Language, texts: List[str], batch_size: int) -> float:
    """RETURNS (float): CPU time to find the entities of all texts."""
    start = time.process_time()
    with nlp.memory_zone():
        for _ in nlp.pipe(texts, batch_size=batch_size):
            pass
    return time.process_time() - start


def n_parameters(nlp: Language) -> int:
    """RETURNS (int): Number of weights of all pipes."""
    models = [getattr(pipe, "model", None) for _, pipe in nlp.pipeline]
    return sum(
        node.get_param(name).size
        for model in models
        for node in (model.walk() if model else ())
        for name in node.param_names
        if node.has_param(name)
    )


if __name__ == "__main__":
    typer.run(main)
