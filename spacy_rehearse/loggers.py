"""Registered loggers: spaCy's table, with columns that can be told apart."""

import math
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from spacy.language import Language
from spacy.util import registry
from wasabi import table

from .evaluate import LabelScore
from .scorer import agreement

LogStepT = Callable[[Optional[Dict[str, Any]]], None]
LoggerT = Callable[[Language, IO, IO], Tuple[LogStepT, Callable[[], None]]]

# spaCy cuts column names at 13 characters; the score has its own column, SCORE.
COLUMNS = {
    "rehearsal_new_f": "new_f",
    "rehearsal_retention": "retention",
    "rehearsal_flood": "flood",
    "rehearsal_old_f": "old_f",
    "rehearsal_bwt": "bwt",
}
HIDDEN = "rehearsal_score"
FACTORY, SILVER = "rehearsal", "silver"
FEWEST, LOST = 10, 0.8  # entities, and agreement: an old label below is told of
HARDLY = 0.2  # F on dev: a new label below is told of


def create_console_logger_v1(
    *,
    progress_bar: Union[str, bool, None] = None,
    console_output: bool = True,
    output_file: Optional[Union[str, Path]] = None,
    also: Optional[LoggerT] = None,
) -> LoggerT:
    """Create spaCy's console logger, with short names for the rehearsal scores.

    Flood is shown as it is, in new entities per 1,000 words, where spaCy multiplies
    every score by 100. The loss on silver stands under its own name. When the training
    is over, it shows for each label what was kept and what was learnt.

    progress_bar (Union[str, bool, None]): Show a progress bar over "train" or "eval"
        steps. True for the latter, as in spaCy's first logger.
    console_output (bool): Whether to print at all.
    output_file (Optional[Union[str, Path]]): Also write the log as JSONL.
    also (Optional[Callable]): Another logger, e.g. spacy.WandbLogger.v5, which gets all
        scores under their full names.
    RETURNS (Callable): The logger, as spacy.ConsoleLogger.v3.
    """
    if isinstance(progress_bar, bool):
        progress_bar = "eval" if progress_bar else None
    spacys_own = registry.loggers.get("spacy.ConsoleLogger.v3")(
        progress_bar=progress_bar,
        console_output=console_output,
        output_file=output_file,
    )

    def setup(nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr):
        names = {name: short_name(nlp, name) for name in nlp.pipe_names}
        log_step, close = spacys_own(_as_shown(nlp, names), stdout, stderr)
        log_also, close_also = also(nlp, stdout, stderr) if also else (_ignore, _ignore)
        best_score, best_labels = -math.inf, list[LabelScore]()

        def log(info: Optional[Dict[str, Any]]) -> None:
            nonlocal best_score, best_labels
            # As spaCy saves: the later of two that are level.
            if info is not None and info["score"] >= best_score:
                best_score, best_labels = info["score"], _labels_scored(nlp)
            log_step(None if info is None else shorten(info, names))
            log_also(info)

        def finalize() -> None:
            close()
            close_also()
            if console_output:
                stdout.write(_label_table(best_labels))

        return log, finalize

    return setup


def _ignore(*_: Any) -> None:
    """Log nothing."""


def _labels_scored(nlp: Language) -> List[LabelScore]:
    """RETURNS (List[LabelScore]): What was kept and learnt, label by label."""
    pipes = (p for n, p in nlp.pipeline if nlp.get_pipe_meta(n).factory == FACTORY)
    return getattr(next(pipes, None), "labels_scored", [])


def _label_table(labels: Sequence[LabelScore]) -> str:
    """RETURNS (str): The same, as a table. Empty if nothing was scored."""
    if not labels:
        return ""
    titles = ("Label", "Entities", "Kept", "F before", "F after")
    rows = [
        (
            _named(x),
            "new" if x.kept is None else str(x.kept.tp + x.kept.fn),
            _percent(agreement(x.kept)) if x.kept is not None and len(x.kept) else "",
            _percent(x.before),
            _percent(x.after),
        )
        for x in labels
    ]
    told = table(rows, header=titles, divider=True, aligns=("l", "r", "r", "r", "r"))
    return (
        f"\nAt the best checkpoint. Kept: agreement with the teacher on held-out pool "
        f"text. F: on dev\n{told}\n{_tell_lost(labels)}{_tell_not_learnt(labels)}"
    )


def _tell_lost(labels: Sequence[LabelScore]) -> str:
    """RETURNS (str): Which old labels are mostly gone, as RETENTION may hide it."""
    lost = [
        f"{x.label} ({_percent(agreement(x.kept))})"
        for x in labels
        if x.kept is not None
        and not x.is_learnt
        and x.kept.tp + x.kept.fn >= FEWEST
        and agreement(x.kept) < LOST
    ]
    if not lost:
        return ""
    return (
        f"Not kept, though others are: {', '.join(lost)}. Does a new label mean the "
        "same, or part of it? See docs/troubleshooting.md\n"
    )


def _tell_not_learnt(labels: Sequence[LabelScore]) -> str:
    """RETURNS (str): Which labels are hardly found on dev, though that marks them."""
    weak = [
        f"{x.label} ({_percent(x.after)})"
        for x in labels
        if x.is_learnt and x.after is not None and x.after < HARDLY
    ]
    if not weak:
        return ""
    return (
        f"Hardly learnt: {', '.join(weak)}. More gold, a longer training? See "
        "docs/troubleshooting.md\n"
    )


def _named(x: LabelScore) -> str:
    return f"{x.label} (corrected)" if x.is_learnt and x.kept is not None else x.label


def _percent(value: Optional[float]) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def short_name(nlp: Language, name: str) -> str:
    """RETURNS (str): What to call a pipe's loss."""
    return SILVER if nlp.get_pipe_meta(name).factory == FACTORY else name


def shorten(info: Dict[str, Any], names: Dict[str, str]) -> Dict[str, Any]:
    """Rename scores and losses for the table.

    info (Dict[str, Any]): What spaCy's training loop tells its logger.
    names (Dict[str, str]): What to call each pipe's loss.
    RETURNS (Dict[str, Any]): The same under short names, with flood in real size after
        spaCy has multiplied it by 100.
    """
    scores = {COLUMNS.get(k, k): v for k, v in info["other_scores"].items()}
    if scores.get("flood") is not None:
        scores["flood"] /= 100
    losses = {names.get(name, name): loss for name, loss in info["losses"].items()}
    return {**info, "other_scores": scores, "losses": losses}


def _as_shown(nlp: Language, names: Dict[str, str]) -> Any:
    """What spaCy's logger reads of a pipeline, under short names."""
    weights = nlp.config["training"]["score_weights"]
    shown = {COLUMNS.get(k, k): w for k, w in weights.items() if k != HIDDEN}
    training = {**nlp.config["training"], "score_weights": shown}
    pipeline = [(names[name], pipe) for name, pipe in nlp.pipeline]
    return SimpleNamespace(pipeline=pipeline, config={"training": training})
