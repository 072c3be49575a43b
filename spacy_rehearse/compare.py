"""Comparison: methods on the same data, each trained as `spacy train` does."""

import copy
import json
import shutil
import time
from contextlib import redirect_stderr
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

import spacy
from spacy.language import Language
from spacy.training.initialize import init_nlp
from spacy.training.loop import train
from spacy.util import get_package_path, is_package, load_config
from thinc.api import Config

from .about import __version__
from .files import write_whole
from .forgetting import compare_pipelines
from .gold import read_docs
from .methods import method_config, path_of
from .results import Measure, ResultsT, pareto_front
from .scorer import mean
from .session import Session

MEASURES = (
    Measure("new F", lambda run: run.get("new_f")),
    Measure("old F", lambda run: run.get("old_f")),
    Measure("all F", lambda run: run.get("all_f")),
    Measure("retention", lambda run: run.get("retention")),
    Measure("flood per 1,000 words", lambda run: run.get("flood"), ".2f", 1),
    Measure("BWT", lambda run: run.get("bwt")),
    Measure("CPU s", lambda run: run["seconds"], ".0f", 1),
)


class Run(NamedTuple):
    """One method with one seed.

    method (str): The method.
    seed (int): The seed.
    config (Config): Its config, with the seed.
    rehearsal (Config): The user's config, with the seed: which pool texts it holds out
        is what all methods are scored on.
    test (Optional[Path]): Gold to score on. None for the dev set.
    folder (Path): Where its files go.
    code (Optional[Path]): A Python file that the config needs.
    """

    method: str
    seed: int
    config: Config
    rehearsal: Config
    test: Optional[Path]
    folder: Path
    code: Optional[Path] = None

    @property
    def result(self) -> Path:
        """Where its scores go: the file is there when the run is done."""
        return self.pipeline.with_suffix(".json")

    @property
    def pipeline(self) -> Path:
        """Where the trained pipeline goes."""
        return self.folder / f"{self.method}-{self.seed}"

    @property
    def inputs(self) -> List[Path]:
        """What is trained with: gold, dev and pool, base, memory and code."""
        told = self.rehearsal.interpolate()
        corpora = [path_of(told, name) for name in ("train_corpus", "dev_corpus")]
        sources = [x.get("source") for x in told["components"].values()]
        pipelines = filter(None, [_initialize(told)["teacher"], *sources])
        return [
            *corpora,
            *_pool_of(told),
            *map(_folder_of, dict.fromkeys(pipelines)),
            *filter(None, [_memory_path(self.config), self.code]),
        ]

    @property
    def scored_on(self) -> str:
        """What tells one test set from another. Empty for the dev set."""
        return f"{self.test} {_stamp(self.test)}" if self.test else ""

    @property
    def digest(self) -> str:
        """A digest of configs and data: other ones are another training."""
        parts = [
            f"{__version__}, spaCy {spacy.__version__}",
            *(x.to_str(interpolate=False) for x in (self.config, self.rehearsal)),
            *(f"{path} {_stamp(path)}" for path in self.inputs),
        ]
        return sha256("\n".join(parts).encode()).hexdigest()[:16]


def _initialize(config: Config) -> Dict[str, Any]:
    return config["initialize"]["components"]["rehearsal"]


def _pool_of(config: Config) -> List[Path]:
    """RETURNS (List[Path]): The pool's files and folders, of a config interpolated."""
    paths = _initialize(config)["pool"].get("path", [])
    return [*map(Path, [paths] if isinstance(paths, (str, Path)) else paths)]


def _folder_of(pipeline: str) -> Path:
    """RETURNS (Path): The folder of a package or of a saved pipeline."""
    return get_package_path(pipeline) if is_package(pipeline) else Path(pipeline)


def _stamp(path: Path) -> str:
    """Size and time of a file, or of all in a folder."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [file.stat() for file in files if file.exists()]
    return " ".join(f"{stat.st_size} {stat.st_mtime_ns}" for stat in stats)


def plan_runs(
    config: Config,
    methods: Sequence[str],
    seeds: Sequence[int],
    folder: Path,
    test: Optional[Path] = None,
    code: Optional[Path] = None,
) -> List[Run]:
    """Plan a comparison.

    config (Config): A config with the rehearsal component, not interpolated.
    methods (Sequence[str]): The methods.
    seeds (Sequence[int]): The seeds.
    folder (Path): Where the runs' files go.
    test (Optional[Path]): Gold to score on. None for the dev set.
    code (Optional[Path]): A Python file that the config needs.
    RETURNS (List[Run]): The runs, seed by seed, so that all methods have a first result
        soon.
    RAISES (ValueError): If a method is not known, or the config has no rehearsal.
    """
    configs = {method: method_config(config, method) for method in methods}
    runs = []
    for seed in seeds:
        for method in methods:
            own = _seeded(configs[method], seed)
            _keep_memory(own, folder / f"{method}-{seed}.memory.jsonl")
            _write_no_log(own["training"].get("logger") or {})
            rehearsal = _seeded(config, seed)
            runs.append(Run(method, seed, own, rehearsal, test, folder, code))
    return runs


def _seeded(config: Config, seed: int) -> Config:
    seeded = copy.deepcopy(config)
    seeded.setdefault("system", {})["seed"] = seeded["training"]["seed"] = seed
    return seeded


def _write_no_log(logger: Dict[str, Any]) -> None:
    """Leave the user's log file to the user's own trainings."""
    while logger:
        logger.pop("output_file", None)
        logger = logger.get("also") or {}


def _keep_memory(config: Config, path: Path) -> None:
    """Let a run have its memory to itself: the user's is only read."""
    if memory := _memory_of(config):
        known = _memory_path(config)
        memory.update(path=str(known) if known else None, save_to=str(path))


def _memory_of(config: Config) -> Dict[str, Any]:
    components = config["initialize"].get("components", {})
    return components.get("rehearsal", {}).get("memory") or {}


def _memory_path(config: Config) -> Optional[Path]:
    """RETURNS (Optional[Path]): The memory of earlier rounds, if there is one."""
    path = _memory_of(config.interpolate()).get("path")
    return Path(path) if path and Path(path).exists() else None


def finished(run: Run) -> Optional[Dict[str, Any]]:
    """RETURNS (Optional[Dict[str, Any]]): What a run has given, if it was done with
    just this config, and scored on just this test set.
    """
    scores = _result_of(run)
    return scores if scores and scores.get("scored_on") == run.scored_on else None


def trained(run: Run) -> Optional[Dict[str, Any]]:
    """RETURNS (Optional[Dict[str, Any]]): The same, whatever it was scored on, if its
    pipeline is there to be scored anew.
    """
    return _result_of(run) if run.pipeline.is_dir() else None


def _result_of(run: Run) -> Optional[Dict[str, Any]]:
    try:
        scores = json.loads(run.result.read_text(encoding="utf8"))
    except (OSError, ValueError):
        return None
    return scores if scores.get("config") == run.digest else None


def check_inputs(run: Run) -> None:
    """Raise a ValueError if a run would replace what it reads, or learn from dev.

    run (Run): The run.
    """
    told = run.rehearsal.interpolate()
    dev = path_of(told, "dev_corpus")
    own = run.config.interpolate()["components"].get("rehearsal", {"ratio": 0})
    is_dev = dev.resolve() in [path.resolve() for path in _pool_of(told)]
    if is_dev and own.get("ratio") != 0:
        raise ValueError(
            f"the pool is the dev set ({dev}), and {run.method} would learn from it: "
            f"give raw text (--paths.pool), or leave {run.method} out of --methods"
        )
    suffixes = ("", ".json", ".cfg", ".training", ".memory.jsonl")
    replaced = {run.pipeline.with_suffix(x).resolve() for x in suffixes}
    for path in filter(None, [*run.inputs, run.test]):
        if replaced & {path.resolve(), *path.resolve().parents}:
            raise ValueError(
                f"{path} would be replaced by the run {run.pipeline.name}, which reads "
                "it: give another --output, or move it"
            )


def do_run(run: Run, use_gpu: int = -1) -> Dict[str, Any]:
    """Train a method, unless it is, and score it; nothing is left of a training that is
    interrupted.

    run (Run): The run.
    use_gpu (int): As in spaCy's train: call require_gpu before. -1 for the CPU.
    RETURNS (Dict[str, Any]): The scores.
    """
    check_inputs(run)
    run.folder.mkdir(parents=True, exist_ok=True)
    digest = run.digest  # of the data as they are now
    if earlier := trained(run):
        seconds = earlier["seconds"]
    else:
        for file in (run.result, run.pipeline.with_suffix(".memory.jsonl")):
            file.unlink(missing_ok=True)
        seconds = fit(run.config, run.pipeline, use_gpu)
    student = spacy.load(run.pipeline)
    scores = {
        "method": run.method,
        "seed": run.seed,
        "config": digest,
        "scored_on": run.scored_on,
        "seconds": seconds,
        **_score(student, run.rehearsal, run.test),
    }
    write_whole(run.result, json.dumps(scores, indent=2).encode("utf8"))
    return scores


def fit(config: Config, output: Path, use_gpu: int = -1) -> float:
    """Train as `spacy train` does, and keep the best checkpoint.

    config (Config): The config.
    output (Path): Where the pipeline goes. It appears whole or not at all. The config
        is saved beside it.
    use_gpu (int): As in spaCy's train: call require_gpu before. -1 for the CPU.
    RETURNS (float): Seconds of CPU time, after what comes before the first update.
    """
    config.to_disk(output.with_suffix(".cfg"))
    saved = load_config(output.with_suffix(".cfg"), interpolate=False)
    nlp = init_nlp(saved, use_gpu=use_gpu)
    folder = output.with_suffix(".training")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start = time.process_time()
    train(nlp, folder, use_gpu=use_gpu)
    seconds = time.process_time() - start
    shutil.rmtree(output, ignore_errors=True)
    (folder / "model-best").rename(output)
    shutil.rmtree(folder)
    return seconds


def _score(student: Language, config: Config, test: Optional[Path]) -> Dict[str, Any]:
    session = hold_out(config)
    base = session.teacher.nlp
    return compare_pipelines(
        base,
        student,
        session.teacher.component,
        gold=read_docs(test or path_of(config.interpolate(), "dev_corpus"), base.vocab),
        texts=[item.text for item in session.heldout],
        new=session.labels,
        in_full=session.labels,
    ).summary()


def hold_out(config: Config) -> Session:
    """Prepare a training, without what takes long, to learn which texts of the pool it
    holds out.

    config (Config): A config with the rehearsal component.
    RETURNS (Session): The training run.
    """
    quick = copy.deepcopy(config)
    quick["components"]["rehearsal"]["regularizers"] = {}
    settings = quick["initialize"]["components"]["rehearsal"]
    settings.update(expert=None, column=None)
    if settings.get("memory"):  # its texts are not held out
        known = _memory_path(config)
        read_only = {"path": str(known), "save_to": None}
        settings["memory"] = {**settings["memory"], **read_only} if known else None
    with redirect_stderr(StringIO()):  # what it tells of itself is of no training
        rehearsal: Any = init_nlp(quick).get_pipe("rehearsal")
    return rehearsal.session


def front(results: ResultsT) -> List[str]:
    """Find the methods that no other beats both in what is learnt and in what is kept.

    results (ResultsT): The results.
    RETURNS (List[str]): The methods on the Pareto front, by their means.
    """
    points = {
        method: [mean(row[key]) for key in ("new F", "retention")]
        for method, row in results.items()
        if {"new F", "retention"} <= set(row)
    }
    return pareto_front(points)
