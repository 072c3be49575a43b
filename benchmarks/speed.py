"""Prediction time and size of two NER pipes, next to one.

    python -m benchmarks.speed STUDENT BASE EXPERT TEXTS.jsonl

The pipelines take turns on as many texts as nlp.pipe reads at once (1,000; with fewer,
the ratio is a little higher, as each call costs some time), in one process and one
thread. Where in memory its weights lie can make a pipeline a quarter slower, as long as
it is loaded: so both are loaded anew for each round. That, and other work on the
machine, only ever adds time: so of each one the fastest third of the rounds counts.
"""

import json
import statistics
import time
from pathlib import Path

import spacy
import typer
from spacy.language import Language

from .job import two_pipes
from .methods import TWO_PIPES


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
    times = []
    for _ in range(rounds):
        one, two = spacy.load(student), two_pipes(base, expert, TWO_PIPES[0])
        for nlp in (one, two):
            seconds(nlp, sample)  # the first time takes longer
        times.append([seconds(nlp, sample) for nlp in (one, two)])
    ours, theirs = (
        statistics.mean(sorted(of_one)[: rounds // 3])
        for of_one in zip(*times, strict=True)
    )
    typer.echo(f"time: {ours / theirs:.2f}")
    typer.echo(f"size of weights: {n_parameters(one) / n_parameters(two):.2f}")


def seconds(nlp: Language, texts: list) -> float:
    """RETURNS (float): CPU time to find the entities of all texts."""
    start = time.process_time()
    with nlp.memory_zone():
        for _ in nlp.pipe(texts):
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
