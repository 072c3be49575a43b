"""One run: train a method on all steps of a suite, with one seed, and score it."""

import json
import shutil
from pathlib import Path
from typing import Any, Dict, List

import spacy
import typer
from spacy.language import Language
from spacy.util import load_config

from spacy_rehearse import compare

from . import rivals  # noqa: F401  (registers the rivals' factories)
from .methods import TWO_PIPES, write_config
from .score import predictor, score
from .suites import SUITES, Step, Suite


def main(suite: str, method: str, seed: int, shared: Path, work: Path) -> None:
    """Train, score, and write the scores; nothing is left if it is interrupted."""
    plan = SUITES[suite](shared.resolve(), (work / suite).resolve())
    result = result_path(work, suite, method, seed)
    folder = result.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    steps = run(plan, method, seed, folder, work / suite)
    half = result.with_suffix(".half")
    half.write_text(json.dumps({"method": method, "seed": seed, "steps": steps}))
    half.rename(result)


def result_path(work: Path, suite: str, method: str, seed: int) -> Path:
    """RETURNS (Path): The JSON of a run."""
    return work / suite / "runs" / f"{method}-{seed}.json"


def run(
    plan: Suite, method: str, seed: int, folder: Path, work: Path
) -> List[Dict[str, Any]]:
    """Learn step after step, each time from the last step's student."""
    results: List[Dict[str, Any]] = []
    base, labels = plan.base, list(plan.old)
    for number, step in enumerate(plan.steps):
        labels += step.labels
        result: Dict[str, Any] = {"seconds": 0.0}
        if method == "base":
            nlp = spacy.load(plan.base)
        else:
            student = folder / str(number)
            if method in TWO_PIPES:
                expert = folder.parent / f"naive-{seed}" / str(number)
                two_pipes(base, expert, method).to_disk(student)
            else:
                result = fit(method, base, step, student, seed, work / "cache")
            nlp = spacy.load(student)
            base = student
        result.update(score(predictor(nlp), plan.base, step, labels))
        results.append(result)
    return results


def fit(
    method: str, base: Path, step: Step, student: Path, seed: int, cache: Path
) -> Dict[str, Any]:
    """Train as `spacy train` does, timing what comes after the annotation.

    RETURNS (Dict[str, Any]): Seconds of CPU time, and the best dev score.
    """
    path = student.with_suffix(".cfg")
    write_config(method, base, step, path, seed)
    config = load_config(path, interpolate=False)
    if "rehearsal" in config["initialize"]["components"]:
        config["initialize"]["components"]["rehearsal"]["cache"] = str(cache)
    seconds = compare.fit(config, student)
    meta = json.loads((student / "meta.json").read_text())
    told = meta.get("spacy_rehearse", {}).get("scores", meta["performance"])
    return {"seconds": seconds, "dev": told}


def two_pipes(base: Path, expert: Path, method: str) -> Language:
    """Put the naively tuned recogniser before or behind the untouched one. In a
    sequence of labels, each step adds one.
    """
    nlp, tuned = spacy.load(base), spacy.load(expert)
    first = method == "two-pipes-expert-first"
    place = {"first": True} if first else {"last": True}
    nlp.add_pipe("ner", source=tuned, name=f"expert_{len(nlp.pipe_names)}", **place)
    return nlp


if __name__ == "__main__":
    typer.run(main)
