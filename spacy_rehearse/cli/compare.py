"""`python -m spacy rehearse compare`."""

import json
import os
import sys
import traceback
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import typer
from spacy.cli._util import (
    Arg,
    NoSuchOption,
    Opt,
    import_code,
    parse_config_overrides,
)
from spacy.vocab import Vocab
from thinc.api import Config, require_gpu
from thinc.util import gpu_is_available
from tqdm import tqdm
from wasabi import msg

from ..compare import (
    MEASURES,
    Run,
    check_inputs,
    do_run,
    finished,
    front,
    plan_runs,
    trained,
)
from ..component import tell
from ..files import write_whole
from ..gold import read_docs
from ..methods import METHODS, path_of
from ..parallel import terminate
from ..report.chart import chart
from ..report.definitions import DEFINITIONS
from ..report.page import render
from ..results import ResultsT, as_markdown, as_table, gather
from ..scorer import mean
from . import rehearse_cli
from ._code import CODE
from ._config import read_config
from ._fail import fail_on, require, require_free
from ._lists import items_of
from .check import check_config

# What the other methods have of their own.
OWN = (
    "training.optimizer.",
    "components.",
    "nlp.",
    "initialize.components.rehearsal.column",
)
DEFAULT = "rehearsal,naive,self-training,textbook"


@rehearse_cli.command(
    "compare",
    short_help="Train several methods on your data, side by side",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def compare_cli(
    ctx: typer.Context,
    config_path: Path = Arg(..., help="A config with the rehearsal component"),
    output: Path = Opt(
        ..., "--output", "-o", help="Folder for runs and results, kept between calls"
    ),
    methods: str = Opt(
        DEFAULT,
        "--methods",
        "-m",
        help=f"Comma-separated, or 'all': {', '.join(METHODS)}",
    ),
    seeds: str = Opt("0,1,2", "--seeds", "-s", help="Comma-separated seeds"),
    test: Optional[Path] = Opt(
        None,
        "--test",
        help="Gold to score on that nothing was chosen by: .spacy. By default the dev set of the config",
    ),
    workers: int = Opt(1, "--workers", "-w", help="Runs at a time, a core each"),
    use_gpu: int = Opt(-1, "--gpu-id", "-g", help="GPU ID or -1 for CPU"),
    as_json: bool = Opt(False, "--json", "-J", help="Print the results as JSON"),
    code: Optional[Path] = CODE,
    force: bool = Opt(
        False, "--force", "-F", help="Replace runs of other settings or data"
    ),
):
    """
    Train several methods on the data of a config, and compare what each has learnt and
    kept. A run that is there already is not done again, so what was stopped goes on.
    Writes results.json, results.md and results.html into the output folder, of all runs
    there with this config; all pipelines stay there, too. Settings of the config can be
    overridden, as in `spacy train`.

    Example: your config beside naive fine-tuning and L2-SP, over two seeds.

    \b
        python -m spacy rehearse compare config.cfg --output comparison \\
            --methods rehearsal,naive,l2sp --seeds 0,1
    """
    with fail_on(NoSuchOption):
        overrides = parse_config_overrides(ctx.args)
    require(config_path, "CONFIG_PATH")
    if test is not None:
        require(test, "--test")
    require_free(output, True, folder=True)
    given = METHODS if methods == "all" else items_of(methods)
    names = list(dict.fromkeys(given))
    with fail_on(ValueError, OSError):
        config = read_config(config_path, overrides, interpolate=False)
        numbers = _read_seeds(seeds)
        if use_gpu >= 0 and not gpu_is_available():
            raise ValueError(
                f"--gpu-id is {use_gpu}, and Thinc finds no GPU: is CuPy installed? "
                "Leave it out to train on the CPU"
            )
        if not names or not numbers or workers < 1:
            raise ValueError("expected at least one method, one seed and one worker")
        if not _is_ours(output):
            raise ValueError(f"{output} holds other files: give a folder of its own")
        inputs = check_config(config.interpolate())
        # What is wrong with a test set shows now, not in hours.
        scored_on = test or path_of(config.interpolate(), "dev_corpus")
        unmarked = _check_test(scored_on, inputs.labels)
        runs = plan_runs(config, names, numbers, output / "runs", test, code)
        for run in runs:
            check_inputs(run)
        output.mkdir(parents=True, exist_ok=True)
    todo = [run for run in runs if finished(run) is None]
    anew = [run for run in todo if trained(run)]  # only to be scored
    other = [name_of(x) for x in todo if x.result.exists() and x not in anew]
    alone = [f"--{name}" for name in overrides if name.startswith(OWN)]
    ours = [name for name, how in METHODS.items() if how.is_own]
    if unmarked:
        msg.warn(
            f"{scored_on} marks no {', '.join(unmarked)}: what is found of it there "
            "counts as wrong",
            show=not as_json,
        )
    if alone and not {*names} <= {*ours}:
        msg.warn(
            f"{', '.join(alone)}: changes {' and '.join(ours)} alone. The other "
            "methods have settings of their own there",
            show=not as_json,
        )
    if other and not force:
        msg.fail(
            f"In {output} are runs of other settings or data: {', '.join(other)}",
            "Give another --output, or --force to replace them.",
            exits=1,
        )
    if len(todo) < len(runs):
        n_there = len(runs) - len(todo)
        msg.info(f"{n_there} of {len(runs)} runs are there already", show=not as_json)
    if todo:
        more = f", to score on other gold: {len(anew)}" if anew else ""
        where = f"What each says: {output / 'runs'}/*.log"
        tell(f"Runs to train: {len(todo) - len(anew)}{more}. {where}")
    failed = _do_all(todo, workers, code, use_gpu)
    done = [scores for scores in map(finished, runs) if scores is not None]
    if not done:
        msg.fail("No run came to its end", exits=1)
    others = _other_runs(config, output / "runs", test, code, runs)
    done += [scores for scores in map(finished, others) if scores is not None]
    names += [x for x in METHODS if x not in names and x in {r["method"] for r in done}]
    results = gather(done, names, MEASURES)
    _write(results, output, str(test or "the dev set"))
    if as_json:
        typer.echo(json.dumps({"results": results, "front": front(results)}, indent=2))
    else:
        rows = as_table(results, MEASURES)
        msg.table(rows[1:], header=rows[0], divider=True)
        if best := front(results):
            msg.text(f"Not beaten in both respects: {', '.join(best)}")
        if test is None:
            msg.text("Scored on the dev set, which chose the checkpoints, too (--test)")
        msg.good(f"Saved {output / 'results.html'}, results.md and results.json")
        msg.text(f"The pipelines are in {output / 'runs'}: METHOD-SEED")
    if failed:
        if not as_json:
            msg.fail(f"Runs that failed: {', '.join(failed)}")
        raise typer.Exit(1)


def _check_test(test: Path, labels: Sequence[str]) -> List[str]:
    """RETURNS (List[str]): New labels that a test set does not mark."""
    marked = {ent.label_ for doc in read_docs(test, Vocab()) for ent in doc.ents}
    if marked.isdisjoint(labels):
        raise ValueError(
            f"{test} marks none of the labels of the gold ({', '.join(labels)}"
            f"), but {', '.join(sorted(marked)) or 'nothing'}: what is learnt can't be "
            "scored on it"
        )
    return sorted({*labels} - marked)


def _is_ours(output: Path) -> bool:
    """RETURNS (bool): Whether a folder is new, empty, or that of an earlier call."""
    if not output.is_dir() or not any(output.iterdir()):
        return True
    if not (output / "runs").is_dir():
        return False
    names = [path.name for path in (output / "runs").iterdir()]
    return not names or any(name.rpartition("-")[0] in METHODS for name in names)


def _other_runs(
    config: Config,
    folder: Path,
    test: Optional[Path],
    code: Optional[Path],
    runs: List[Run],
) -> List[Run]:
    """Plan the runs that an earlier call has left, of other methods or seeds."""
    planned = {(run.method, run.seed) for run in runs}
    names = [path.stem.rpartition("-") for path in folder.glob("*-*.json")]
    left = {(x, int(n)) for x, _, n in names if x in METHODS and n.isdecimal()}
    methods, seeds = {x for x, _ in left - planned}, {n for _, n in left - planned}
    every = plan_runs(config, sorted(methods), sorted(seeds), folder, test, code)
    return [run for run in every if (run.method, run.seed) in left - planned]


def _read_seeds(seeds: str) -> List[int]:
    numbers = items_of(seeds)
    if not all(number.isdecimal() for number in numbers):
        raise ValueError(
            f"--seeds is {seeds!r}: expected whole numbers from 0 up, e.g. 0,1,2"
        )
    return list(dict.fromkeys(map(int, numbers)))


def _do_all(
    runs: List[Run], workers: int, code: Optional[Path], use_gpu: int
) -> List[str]:
    """Do the runs in processes of their own.

    RETURNS (List[str]): The names of those that failed.
    """
    failed: List[str] = []
    if not runs:
        return failed
    pool = ProcessPoolExecutor(
        workers,
        mp_context=get_context("spawn"),
        initializer=_begin,
        initargs=(code, use_gpu),
    )
    with tqdm(total=len(runs), unit=" runs", disable=None) as bar:
        try:
            names = {pool.submit(_work, run, use_gpu): run for run in runs}
            for number, future in enumerate(as_completed(names), start=1):
                run = names[future]
                bar.update()
                if error := future.exception():
                    failed.append(name_of(run))
                    told = f"{failed[-1]}: {error}\nSee {_log(run)}"
                else:
                    told = f"{name_of(run)} is done ({number} of {len(runs)})"
                bar.write(told, file=sys.stderr)
        except KeyboardInterrupt:
            terminate(pool)
            msg.fail("Stopped. The same command goes on where it was")
            sys.exit(130)
        except BaseException:
            terminate(pool)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
    return failed


def name_of(run: Run) -> str:
    """RETURNS (str): What a run is called in messages."""
    return f"{run.method} (seed {run.seed})"


def _begin(code: Optional[Path], use_gpu: int) -> None:
    import_code(code)
    if use_gpu >= 0:
        require_gpu(use_gpu)


def _work(run: Run, use_gpu: int) -> None:
    run.folder.mkdir(parents=True, exist_ok=True)
    with _log(run).open("w") as log:  # what spaCy prints, of all levels
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            do_run(run, use_gpu)
        except Exception:
            traceback.print_exc()
            raise
        finally:
            sys.stdout.flush()


def _log(run: Run) -> Path:
    return run.result.with_suffix(".log")


def _write(results: ResultsT, output: Path, scored_on: str) -> None:
    rows = as_table(results, MEASURES)
    best = front(results)
    points = {
        method: (100 * mean(row["new F"]), 100 * mean(row["retention"]))
        for method, row in results.items()
        if {"new F", "retention"} <= set(row)
    }
    data: Dict[str, Any] = {"results": results, "front": best}
    page = render(
        "compare.html",
        about=f"Scored on {scored_on}, and on raw text held out from the pool.",
        rows=rows,
        front=best,
        methods={name: METHODS[name].about for name in results},
        definitions=DEFINITIONS,
        chart=points
        and chart(
            points,
            title="Retention against F of the new labels, by method",
            x_title="learnt: F of the new labels",
            y_title="kept: agreement with the base",
            strong=best,
        ),
    )
    note = f"\nNot beaten in both respects: {', '.join(best)}\n"
    for name, text in (
        ("results.json", json.dumps(data, indent=2) + "\n"),
        ("results.md", as_markdown(rows) + note),
        ("results.html", page),
    ):
        write_whole(output / name, text.encode("utf8"))
