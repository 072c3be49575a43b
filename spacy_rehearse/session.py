"""The session: what one training run works with."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Sequence, Tuple

from spacy.matcher import PhraseMatcher

from .expert import Expert
from .freeze import KeyT, MovableT
from .interleave import Interleaver
from .overlap import OverlapsT
from .regularizers import Start
from .renaming import Renamer
from .silver import MOST_REMEMBERED, SilverText
from .teacher import Entity, Teacher, predict_entities
from .trial import Trial


@dataclass
class Session:
    """What one training run works with.

    teacher (Teacher): The frozen original pipeline.
    labels (Tuple[str, ...]): Labels on which the gold is the authority.
    heldout (List[SilverText]): Silver to measure retention by.
    interleaver (Interleaver): Where the silver of an update comes from.
    replay (Interleaver): Where what the memory holds comes from.
    gold_entities (Dict[str, Tuple[Entity, ...]]): The teacher's entities by gold text.
    mentions (PhraseMatcher): Finds what the gold mostly calls by a new label.
    experts (List[Expert]): Find the new labels in the pool. Empty if turned off.
    trial (Trial): What their word on the pool is worth.
    overlaps (OverlapsT): How often experts were right against the teacher.
    soft (float): Weight of distillation, 0 for none.
    margin (float): By how much the score of `O` is raised while new labels learn.
    lead (float): By how much new labels' lead over `O` is multiplied when they do not.
    averages_longer (bool): Whether weights are averaged over all of the training.
    renamer (Optional[Renamer]): Shows the gold's names as others. None for as they are.
    upstream (List[str]): Shared embedding pipes that the learning pipe listens to.
    frozen (Tuple[str, ...]): The frozen components.
    annotating (Tuple[str, ...]): The annotating components before the learning pipe.
    starts (List[Start]): What the learning pipes were before the training.
    column (Optional[Dict[str, Any]]): Size of the column, and whether old labels learn
        to step back. None for no column.
    movable (MovableT): What may move of the weights that are partly or wholly frozen.
    frozen_weights (Dict): What a column leaves as it is, to put it back if need be.
    target_labels (Tuple[str, ...]): All labels of the learning pipe.
    weights_digest (Counter): Digests of the learning pipes' weights before the first
        update. Empty if it was initialized before.
    found (Counter): What the experts found in the silver so far.
    about (Dict[str, Any]): What meta.json tells of teacher, pool and settings.
    summary (List[str]): What a user wants to read before the training.
    """

    teacher: Teacher
    labels: Tuple[str, ...]
    heldout: List[SilverText]
    interleaver: Interleaver
    replay: Interleaver
    gold_entities: Dict[str, Tuple[Entity, ...]]
    mentions: PhraseMatcher
    experts: List[Expert]
    trial: Trial
    overlaps: OverlapsT
    soft: float
    margin: float
    lead: float
    averages_longer: bool
    renamer: Optional[Renamer]
    upstream: List[str]
    frozen: Tuple[str, ...]
    annotating: Tuple[str, ...]
    starts: List[Start] = field(default_factory=list)
    column: Optional[Dict[str, Any]] = None
    movable: MovableT = field(default_factory=dict)
    frozen_weights: Dict[KeyT, Any] = field(default_factory=dict)
    target_labels: Tuple[str, ...] = ()
    weights_digest: Counter = field(default_factory=Counter)
    found: Counter = field(default_factory=Counter)
    about: Dict[str, Any] = field(default_factory=dict)
    summary: List[str] = field(default_factory=list)

    @property
    def learning(self) -> Tuple[str, ...]:
        """The pipes that learn: the recogniser, and what it listens to."""
        pipes = (*self.upstream, self.teacher.component)
        return tuple(name for name in pipes if name not in self.frozen)

    @property
    def old_labels(self) -> Tuple[str, ...]:
        """Labels that are to be kept: the teacher's, but for those being corrected."""
        return tuple(x for x in self.teacher.labels if x not in self.labels)

    @property
    def old_scores_move(self) -> bool:
        """Whether the training can change what old labels score."""
        return self.column is None or self.column["step_back"]

    def entities_in(self, texts: Sequence[str]) -> List[Tuple[Entity, ...]]:
        """Look up what the teacher says of gold texts, or ask it.

        texts (Sequence[str]): The texts.
        RETURNS (List[Tuple[Entity, ...]]): The teacher's entities in each.
        """
        known = self.gold_entities
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            found = predict_entities(self.teacher.nlp, self.teacher.pipes, new)
            if len(known) + len(new) > MOST_REMEMBERED:
                known = dict(known)  # answer, but do not remember
            known.update(zip(new, found, strict=True))
        return [known[text] for text in texts]
