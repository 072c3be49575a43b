"""Write the demonstration corpus: python -m spacy_rehearse.demo OUT_DIR."""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .corpus import NEW_LABEL, OLD_LABELS, make_files, make_texts, write_files

app = typer.Typer(add_completion=False)


@app.command()
def demo_cli(
    out_dir: Annotated[
        Path,
        typer.Argument(help="Folder to write to"),
    ],
    seed: Annotated[int, typer.Option(help="Another seed gives other texts")] = 0,
    force: Annotated[
        bool, typer.Option(help="Replace files that hold something else")
    ] = False,
) -> None:
    """Write a small corpus that shows forgetting: news, then gadgets.

    base_train.spacy and base_dev.spacy are annotated for persons, organisations,
    places and dates; train.spacy and dev.spacy for gadgets alone; pool.jsonl holds
    raw texts; test.spacy is annotated for all five, with names and sentences that
    occur in no other file.
    """
    try:
        contents, counts = make_files(make_texts(seed))
        write_files(contents, out_dir, force=force)
    except (ValueError, OSError) as e:
        msg.fail("Could not make the demonstration corpus.", str(e), exits=1)
    columns = ("texts",) + OLD_LABELS + (NEW_LABEL,)
    rows = [(name, *(counts[name][column] for column in columns)) for name in counts]
    msg.table(rows, header=("file",) + columns, divider=True)
    msg.good(f"Wrote {len(contents)} files to {out_dir}")


if __name__ == "__main__":
    app()
