"""Rounds: which memory a training begins with, and what it leaves to the next."""

from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

from spacy.tokens import Doc

from .memory import (
    Memory,
    as_exemplars,
    merge,
    read_memory,
    round_key,
    save_memory,
    without_attempts,
)
from .teacher import Entity, Teacher


def open_memory(settings: Optional[Mapping[str, Any]]) -> Memory:
    """Read what earlier rounds left.

    settings (Optional[Mapping[str, Any]]): The memory's settings. None for none.
    RETURNS (Memory): The memory. It is empty in the first round.
    RAISES (ValueError): If its file should be there and is not, or is damaged.
    """
    if settings is None or settings.get("path") is None:
        return Memory([], {})
    path = Path(settings["path"])
    if not path.exists() and settings["path"] == settings.get("save_to"):
        return Memory([], {})  # the first round of many with the same config
    if not path.is_file():
        raise ValueError(
            f"[initialize.components.rehearsal.memory] path: there is no file {path}. "
            "In the first round set path = null, or path and save_to to the same file"
        )
    return read_memory(path)


def save_round(
    memory: Memory,
    gold: Sequence[Doc],
    taught: Mapping[str, Sequence[Entity]],
    teacher: Teacher,
    labels: Sequence[str],
    settings: Mapping[str, Any],
) -> None:
    """Merge a round's gold with what earlier rounds left, and save it if it is to be.

    memory (Memory): What earlier rounds left.
    gold (Sequence[Doc]): The gold of this round.
    taught (Mapping[str, Sequence[Entity]]): The teacher's entities by gold text.
    teacher (Teacher): The teacher.
    labels (Sequence[str]): The labels that the gold marks.
    settings (Mapping[str, Any]): The memory's settings.
    RAISES (ValueError): If a round would be lost.
    """
    key = round_key(teacher.weights, labels)
    new = as_exemplars(gold, taught, authority=labels, round=key)
    merged = merge(
        without_attempts(memory, teacher.weights, taught, labels, teacher.labels),
        new,
        settings["capacity"],
        settings["policy"],
        teacher.corrected(labels),
    )
    if settings.get("save_to") is None:
        return
    if merged != check_none_is_lost(memory, key, settings["save_to"]):
        save_memory(merged, Path(settings["save_to"]))


def check_none_is_lost(memory: Memory, key: str, save_to: str) -> Memory:
    """Find out whether a file can be replaced.

    memory (Memory): What earlier rounds left.
    key (str): The key of this round.
    save_to (str): The file.
    RETURNS (Memory): What is in it.
    RAISES (ValueError): If it holds rounds that the memory lacks.
    """
    path = Path(save_to)
    kept = read_memory(path) if path.exists() else Memory([], {})
    if lost := set(kept.rounds) - {*memory.rounds, key}:
        raise ValueError(
            f"[initialize.components.rehearsal.memory] save_to: {path} holds "
            f"{len(lost)} rounds that path does not hold: they would be lost. Set path "
            "to it, or save_to to another file"
        )
    return kept
