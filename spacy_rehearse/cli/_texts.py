"""Raw text that a command was given."""

from pathlib import Path
from typing import Iterable, List, Sequence

from spacy.language import Language
from tqdm import tqdm

from ..corpus import create_raw_text_v1


def read_texts(paths: Sequence[Path], limit: int, nlp: Language) -> List[str]:
    """Read raw text.

    paths (Sequence[Path]): Files or folders. None for no text.
    limit (int): At most so many texts, 0 for all.
    nlp (Language): A pipeline, for its tokenizer.
    RETURNS (List[str]): The texts.
    RAISES (ValueError): If there are files, and no text in them, or the limit is
        negative.
    """
    if limit < 0:
        raise ValueError(f"--limit is {limit}: expected 0 (all texts) or more")
    return list(create_raw_text_v1(list(paths), limit=limit)(nlp)) if paths else []


def show_progress(texts: Sequence[str], what: str) -> Iterable[str]:
    """Show a progress bar while texts are read, if there is a terminal.

    texts (Sequence[str]): The texts.
    what (str): What to call them.
    RETURNS (Iterable[str]): The texts.
    """
    return tqdm(texts, desc=what, unit=" texts", disable=None, leave=False)
