"""Settings: all that a user's config says of the rehearsal."""

from typing import Any, Callable, Iterator, Mapping, NamedTuple, Optional, Sequence

from spacy.language import Language

PoolT = Callable[[Language], Iterator[str]]


class Settings(NamedTuple):
    """How to rehearse.

    name (str): The name of the rehearsal component.
    component (str): The pipe that learns. The new labels are added to it.
    ratio (float): Silver words per gold word.
    soft (float): Weight of distillation, 0 for none.
    margin (Optional[float]): By how much the score of `O` is raised while new labels
        learn. None for what fits the gold.
    rename (Optional[float]): Share of the new labels' entities that are learnt under
        a made-up name. None for what fits the gold.
    teacher (str): Package name or path of the original pipeline.
    pool (Callable[[Language], Iterator[str]]): The raw text. Called twice.
    labels (Optional[Sequence[str]]): Labels on which the gold is the authority.
    heldout (float): Share of the pool to hold out.
    cache (Optional[str]): Folder of the silver cache. None to keep silver in memory.
    expert (Optional[Mapping[str, Any]]): Settings of the experts. None for no expert.
    column (Optional[Mapping[str, Any]]): Settings of the column. None to let all the
        weights learn.
    memory (Optional[Mapping[str, Any]]): Settings of the memory. None for none.
    regularized (bool): Whether regularizers will ask how the weights started.
    fisher_texts (int): On how many texts they want to know what the weights are worth.
    frozen_parts (Sequence[str]): Names of layers that they freeze.
    """

    name: str
    component: str
    ratio: float
    soft: float
    margin: Optional[float]
    rename: Optional[float]
    teacher: str
    pool: PoolT
    labels: Optional[Sequence[str]]
    heldout: float
    cache: Optional[str]
    expert: Optional[Mapping[str, Any]]
    column: Optional[Mapping[str, Any]]
    memory: Optional[Mapping[str, Any]]
    regularized: bool
    fisher_texts: int
    frozen_parts: Sequence[str]
