"""Registered loggers: spaCy's table, with columns that can be told apart."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, Callable, Dict, Optional, Tuple, Union

from spacy.language import Language
from spacy.util import registry

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


def create_console_logger_v1(
    *,
    progress_bar: Optional[str] = None,
    console_output: bool = True,
    output_file: Optional[Union[str, Path]] = None,
) -> LoggerT:
    """Create spaCy's console logger, with short names for the rehearsal scores.

    Flood is shown as it is, in new entities per 1,000 words, where spaCy multiplies
    every score by 100. The loss on silver stands under its own name.

    progress_bar (Optional[str]): Show a progress bar over "train" or "eval" steps.
    console_output (bool): Whether to print at all.
    output_file (Optional[Union[str, Path]]): Also write the log as JSONL.
    RETURNS (Callable): The logger, as spacy.ConsoleLogger.v3.
    """
    spacys_own = registry.loggers.get("spacy.ConsoleLogger.v3")(
        progress_bar=progress_bar,
        console_output=console_output,
        output_file=output_file,
    )

    def setup(nlp: Language, stdout: IO = sys.stdout, stderr: IO = sys.stderr):
        names = {name: short_name(nlp, name) for name in nlp.pipe_names}
        log_step, finalize = spacys_own(_as_shown(nlp, names), stdout, stderr)

        def log(info: Optional[Dict[str, Any]]) -> None:
            log_step(None if info is None else shorten(info, names))

        return log, finalize

    return setup


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
