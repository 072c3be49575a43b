"""How far the difference between two methods may be off.

    python -m benchmarks.interval drugs-reddit --shared DATA --work RUNS

The test part is small, and all seeds share it; there are few seeds, too. So both are
drawn again, a thousand times: texts for both methods alike (paired bootstrap:
Berg-Kirkpatrick et al. 2012), and seeds for each by itself.
"""

import json
from pathlib import Path
from typing import Annotated, Any, List, Sequence, Tuple

import numpy
import spacy
import typer
from spacy.language import Language
from spacy.scorer import PRFScore
from spacy.tokens import Doc, DocBin

from spacy_rehearse.forgetting import as_examples
from spacy_rehearse.scorer import entity_prf

from .score import predictor
from .suites import SUITES

RIVALS = "naive,textbook,two-pipes-base-first,two-pipes-expert-first"
N_SAMPLES = 1000


def main(
    suite: Annotated[str, typer.Argument(help=f"One of {', '.join(SUITES)}")],
    shared: Annotated[Path, typer.Option(help="Folder with the data")],
    work: Annotated[Path, typer.Option(help="Folder of the runs")],
    method: Annotated[str, typer.Option(help="A method whose runs are done")] = (
        "rehearsal"
    ),
    rivals: Annotated[str, typer.Option(help="What it is compared with")] = RIVALS,
    output: Annotated[Path, typer.Option(help="The JSON of all suites")] = Path(
        "benchmarks/results/intervals.json"
    ),
) -> None:
    """Print by how much the F of the last step's new labels is higher with a method, in
    points, and between what it lies in 95 % of the draws.
    """
    plan = SUITES[suite](shared.resolve(), (work / suite).resolve())
    step = plan.steps[-1]
    nlp = spacy.load(plan.base)
    docs = list(DocBin().from_disk(step.folder / "test.spacy").get_docs(nlp.vocab))
    told = json.loads(output.read_text()) if output.exists() else {}
    rows = told.setdefault(suite, {})

    def counts_of(name: str) -> Any:
        folder, last = work / suite / "runs", len(plan.steps) - 1
        students = sorted(folder.glob(f"{name}-[0-9]*/{last}/meta.json"))
        return numpy.array([count(nlp, x.parent, docs, step.labels) for x in students])

    ours = counts_of(method)
    if not len(ours):
        raise typer.BadParameter(f"there is no pipeline of {method} in {work / suite}")
    for rival in rivals.split(","):
        theirs = counts_of(rival)
        if not len(theirs):
            continue
        change = 100 * (f_of(ours.sum(axis=(0, 1))) - f_of(theirs.sum(axis=(0, 1))))
        low, high = (100 * x for x in interval(theirs, ours))
        rows[f"{rival} → {method}"] = [round(x, 1) for x in (change, low, high)]
        seeds = f"{len(theirs)} and {len(ours)} seeds, {len(docs)} texts"
        typer.echo(
            f"{suite}, {rival} → {method} ({seeds}): {change:+.1f}, 95 % of the draws "
            f"from {low:+.1f} to {high:+.1f}"
        )
        output.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def count(
    nlp: Language, student: Path, docs: Sequence[Doc], labels: Sequence[str]
) -> List[Tuple[int, int, int]]:
    """RETURNS (List[Tuple[int, int, int]]): True positives, false positives and false
    negatives of a student, for each text.
    """
    found = predictor(spacy.load(student))([doc.text for doc in docs])
    scores = [entity_prf([eg], labels) for eg in as_examples(nlp, docs, found)]
    return [(score.tp, score.fp, score.fn) for score in scores]


def interval(before: Any, after: Any) -> Tuple[float, float]:
    """Draw texts and seeds again.

    before (numpy.ndarray): Counts of one method, by seed, text, and kind (tp, fp, fn).
    after (numpy.ndarray): Those of another, on the same texts.
    RETURNS (Tuple[float, float]): The 2.5th and 97.5th percentile of the change in F.
    """
    rng = numpy.random.default_rng(0)
    changes = []
    for _ in range(N_SAMPLES):
        texts = _draw(rng, before.shape[1])
        one, other = (
            f_of(_draw(rng, len(counts)) @ (texts @ counts))
            for counts in (before, after)
        )
        changes.append(other - one)
    low, high = numpy.percentile(changes, [2.5, 97.5])
    return float(low), float(high)


def _draw(rng: Any, n: int) -> Any:
    """RETURNS (numpy.ndarray): How often each of n is drawn."""
    return rng.multinomial(n, numpy.full(n, 1 / n))


def f_of(counts: Any) -> float:
    """RETURNS (float): F of true positives, false positives and false negatives."""
    tp, fp, fn = counts
    return PRFScore(tp=tp, fp=fp, fn=fn).fscore


if __name__ == "__main__":
    typer.run(main)
