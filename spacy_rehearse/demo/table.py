"""Print per-label F before and after: python -m spacy_rehearse.demo.table FILES."""

from pathlib import Path
from typing import Annotated, Dict, List

import srsly
import typer
from wasabi import msg

app = typer.Typer(add_completion=False)


@app.command()
def table_cli(
    metrics: Annotated[
        List[Path],
        typer.Argument(help="What `spacy evaluate --output` wrote, the base's first"),
    ],
) -> None:
    """Print one table of per-label F, a column for each pipeline.

    Example: python -m spacy_rehearse.demo.table metrics/base.json metrics/naive.json
    """
    for path in metrics:
        if not path.is_file():
            msg.fail(f"Can't find {path}", "Run `spacy evaluate` first.", exits=1)
    scores = {path.stem: srsly.read_json(path) for path in metrics}
    rows = make_rows(list(scores.values()))
    msg.table(
        rows, header=("F", *scores), divider=True, aligns=("l", *"r" * len(scores))
    )


def make_rows(scores: List[Dict]) -> List[tuple]:
    """Make the rows of the table.

    scores (List[Dict]): The metrics of each pipeline, the base's first.
    RETURNS (List[tuple]): Old labels, their mean, new labels, and all entities
        together, in percent.
    """
    per_type = [metrics["ents_per_type"] or {} for metrics in scores]
    # A label that the base does not know has been scored 0 there.
    known = {label for label, prf in per_type[0].items() if prf["f"] > 0}
    labels = sorted({label for types in per_type for label in types})
    old = [label for label in labels if label in known]
    new = [label for label in labels if label not in known]

    def f(types: Dict, label: str) -> float:
        return types.get(label, {"f": 0.0})["f"]

    def row(name: str, values: List[float]) -> tuple:
        return (name, *(f"{100 * value:.1f}" for value in values))

    mean = [sum(f(types, x) for x in old) / max(len(old), 1) for types in per_type]
    return [
        *(row(label, [f(types, label) for types in per_type]) for label in old),
        row("mean of the old labels", mean),
        *(
            row(f"{label} (new)", [f(types, label) for types in per_type])
            for label in new
        ),
        row("all entities", [metrics["ents_f"] or 0.0 for metrics in scores]),
    ]


if __name__ == "__main__":
    app()
