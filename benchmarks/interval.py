"""How far a difference between two methods may be off, as the test part is small.

    python -m benchmarks.interval drugs-reddit naive rehearsal --shared DATA --work RUNS

The spread over seeds does not tell: all seeds share the test part. So its texts are
drawn again, for both methods alike (paired bootstrap: Berg-Kirkpatrick et al. 2012),
and what all seeds found in a text is counted together.
"""

from pathlib import Path
from typing import Annotated, Any, Sequence

import numpy
import spacy
import typer
from spacy.language import Language
from spacy.scorer import PRFScore
from spacy.tokens import Doc, DocBin

from spacy_rehearse.forgetting import as_examples, bootstrap
from spacy_rehearse.scorer import entity_prf

from .job import result_path
from .score import predictor
from .suites import SUITES


def main(
    suite: Annotated[str, typer.Argument(help=f"One of {', '.join(SUITES)}")],
    one: Annotated[str, typer.Argument(help="A method whose runs are done")],
    other: Annotated[str, typer.Argument(help="Another")],
    shared: Annotated[Path, typer.Option(help="Folder with the data")],
    work: Annotated[Path, typer.Option(help="Folder of the runs")],
    seeds: Annotated[str, typer.Option(help="Comma-separated seeds")] = "0,1,2",
) -> None:
    """Print F of the new labels of the last step, and the interval of the change."""
    plan = SUITES[suite](shared.resolve(), (work / suite).resolve())
    step = plan.steps[-1]
    nlp = spacy.load(plan.base)
    docs = list(DocBin().from_disk(step.folder / "test.spacy").get_docs(nlp.vocab))
    counts = []
    for method in (one, other):
        runs = [result_path(work, suite, method, int(x)) for x in seeds.split(",")]
        students = [run.with_suffix("") / str(len(plan.steps) - 1) for run in runs]
        counts.append(
            sum(count(nlp, student, docs, step.labels) for student in students)
        )
    low, high = (100 * x for x in bootstrap(*counts))
    before, after = (100 * f_of(x) for x in counts)
    typer.echo(f"{len(docs)} texts, {one} {before:.1f}, {other} {after:.1f}")
    typer.echo(f"{after - before:+.1f}, 95 % interval: {low:+.1f} to {high:+.1f}")


def count(
    nlp: Language, student: Path, docs: Sequence[Doc], labels: Sequence[str]
) -> Any:
    """RETURNS (numpy.ndarray): True positives, false positives and false negatives of
    a student, a row for each text.
    """
    found = predictor(spacy.load(student))([doc.text for doc in docs])
    scores = [entity_prf([eg], labels) for eg in as_examples(nlp, docs, found)]
    return numpy.array([(score.tp, score.fp, score.fn) for score in scores])


def f_of(counts: Any) -> float:
    """RETURNS (float): F over all texts."""
    tp, fp, fn = counts.sum(axis=0)
    return PRFScore(tp=tp, fp=fp, fn=fn).fscore


if __name__ == "__main__":
    typer.run(main)
