"""Run a suite: all methods, several seeds, and a table.

    python -m benchmarks drugs-masc --shared ../shared --work training

A run that is there already is not done again, so a suite resumes where it stopped. The
folder `shared` holds models/, data/ and pools/ (see benchmarks/README.md).
"""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, List, Optional, Tuple

import typer
from tqdm import tqdm

from .job import result_path
from .methods import METHODS, TWO_PIPES
from .plot import plot
from .suites import SUITES
from .table import read_runs, summarise, table

RunT = Tuple[str, int]


def main(
    suite: Annotated[str, typer.Argument(help=f"One of {', '.join(SUITES)}")],
    shared: Annotated[Path, typer.Option(help="Folder with the data")],
    work: Annotated[Path, typer.Option(help="Folder for runs, kept between calls")],
    seeds: Annotated[str, typer.Option(help="Comma-separated seeds")] = "0,1,2",
    methods: Annotated[
        Optional[str], typer.Option(help="Comma-separated methods; default: all")
    ] = None,
    output: Annotated[
        Path, typer.Option(help="Folder for the JSON, the table and the plot")
    ] = Path("benchmarks/results"),
    workers: Annotated[int, typer.Option(help="Runs at a time, a core each")] = 2,
) -> None:
    """Run a suite and write <suite>.json, <suite>.md and <suite>.png."""
    every = ["base", *METHODS, *TWO_PIPES]
    names = methods.split(",") if methods else every
    for given, known in (([suite], [*SUITES]), (names, every)):
        if unknown := set(given) - set(known):
            raise typer.BadParameter(f"{', '.join(unknown)}: not one of {known}")
    plan = SUITES[suite](shared.resolve(), (work / suite).resolve())
    if not all((step.folder / "joint.spacy").exists() for step in plan.steps):
        names = [name for name in names if not name.startswith("joint")]
    runs = [(name, seed) for seed in map(int, seeds.split(",")) for name in names]
    for wave in (lambda m: m not in TWO_PIPES, lambda m: m in TWO_PIPES):
        _run_all(suite, [run for run in runs if wave(run[0])], shared, work, workers)
    output.mkdir(parents=True, exist_ok=True)
    told = output / f"{suite}.json"
    known = json.loads(told.read_text()) if told.exists() else {}
    results = summarise(read_runs(work / suite / "runs", plan), known)
    told.write_text(json.dumps(results, indent=2) + "\n")
    (output / f"{suite}.md").write_text(table(results))
    plot(results, output / f"{suite}.png")
    typer.echo(table(results))


def _run_all(
    suite: str, runs: List[RunT], shared: Path, work: Path, workers: int
) -> None:
    todo = [run for run in runs if not result_path(work, suite, *run).exists()]

    def work_on(run: RunT) -> None:
        log = result_path(work, suite, *run).with_suffix(".log")
        log.parent.mkdir(parents=True, exist_ok=True)
        args = [suite, run[0], str(run[1]), str(shared), str(work)]
        with log.open("w") as file_:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.job", *args],
                env={**os.environ, "OMP_NUM_THREADS": "1"},
                stdout=file_,
                stderr=subprocess.STDOUT,
            )
        if done.returncode:
            tqdm.write(f"{run[0]}, seed {run[1]}: failed, see {log}")

    with ThreadPoolExecutor(workers) as pool:
        list(tqdm(pool.map(work_on, todo), total=len(todo), desc=suite, unit=" runs"))


if __name__ == "__main__":
    typer.run(main)
