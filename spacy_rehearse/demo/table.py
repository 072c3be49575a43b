"""Print F before and after: python -m spacy_rehearse.demo.table METRICS --test TEST."""

from pathlib import Path
from typing import Annotated, Collection, Dict, List

import srsly
import typer
from spacy.vocab import Vocab
from wasabi import msg

from ..gold import read_docs

app = typer.Typer(add_completion=False)


@app.command()
def table_cli(
    metrics: Annotated[
        List[Path],
        typer.Argument(help="What `spacy evaluate --output` wrote, the base's first"),
    ],
    test: Annotated[
        Path, typer.Option(help="The .spacy file or folder that was evaluated on")
    ],
    rehearsed: Annotated[Path, typer.Option(help="The rehearsed pipeline's folder")],
    component: Annotated[str, typer.Option(help="The recogniser's name")] = "ner",
) -> None:
    """Print one table of F by label, a column for each pipeline."""
    for path in [*metrics, test, rehearsed]:
        if not path.exists():
            msg.fail(f"Can't find {path}", exits=1)
    meta = srsly.read_json(rehearsed / "meta.json")
    about = meta["spacy_rehearse"]
    learnt = set(about["labels"]) - set(about["corrected"])
    old = set(meta["labels"][component]) - learnt
    in_test = {ent.label_ for doc in read_docs(test, Vocab()) for ent in doc.ents}
    scores = {path.stem: srsly.read_json(path) for path in metrics}
    rows = make_rows(list(scores.values()), old & in_test, in_test - old)
    msg.table(
        rows, header=("F", *scores), divider=True, aligns=("l", *"r" * len(scores))
    )
    if not old & in_test:
        marked = ", ".join(sorted(in_test))
        msg.warn(f"{test} marks only {marked}: the old labels can't be measured on it")
    kept = 100 * about["scores"]["rehearsal_retention"]
    msg.info(
        f"rehearsed: agrees with the base (F {kept:.1f}) on pool text held out from "
        "training"
    )


def make_rows(
    scores: List[Dict], old: Collection[str], new: Collection[str]
) -> List[tuple]:
    """Make the rows of the table.

    scores (List[Dict]): The metrics of each pipeline.
    old (Collection[str]): Old labels that the test set marks.
    new (Collection[str]): New labels that the test set marks.
    RETURNS (List[tuple]): Old labels and their mean, new labels, and, if the test set
        marks old ones, all entities together, in percent.
    """
    per_type = [metrics["ents_per_type"] or {} for metrics in scores]

    def f(types: Dict, label: str) -> float:
        return types.get(label, {"f": 0.0})["f"]

    def row(name: str, values: List[float]) -> tuple:
        return (name, *(f"{100 * value:.1f}" for value in values))

    rows = [
        row(label, [f(types, label) for types in per_type]) for label in sorted(old)
    ]
    if old:
        mean = [sum(f(types, x) for x in old) / len(old) for types in per_type]
        rows.append(row("mean of the old labels", mean))
    for label in sorted(new):
        rows.append(row(f"{label} (new)", [f(types, label) for types in per_type]))
    if old:
        rows.append(row("all entities", [m["ents_f"] or 0.0 for m in scores]))
    return rows


if __name__ == "__main__":
    app()
