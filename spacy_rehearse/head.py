"""The head: a recogniser's output layer, as it learns and as it is used otherwise.

While gradients come in, `O` has a margin, and old labels score lower (margin.py); new
labels have no lead beyond what they learnt (lead.py). When weights are scored or saved,
it is the other way round, averages included.
"""

from contextlib import contextmanager
from typing import Any, Iterator, List, Optional, Tuple

from spacy.language import Language

from .averaging import AveragesT
from .distillation import can_distil
from .layers import ParamsT, output_layer, output_weights
from .lead import lead_after, scale_averages, scale_lead
from .margin import set_margin
from .parameters import old_part
from .session import Session
from .unseen import seen_actions, silence_unseen

BothT = Optional[Tuple[ParamsT, ParamsT]]


class Head:
    """The output layer of the recogniser that learns.

    nlp (Language): The student.
    session (Session): The training run, which says margin and lead.
    """

    def __init__(self, nlp: Language, session: Session) -> None:
        self.pipe: Any = nlp.get_pipe(session.teacher.component)
        self.session = session
        # Its weights, when nothing is learnt and while something is.
        self._both: BothT = None
        self._silenced: BothT = None  # and the same before and after it is saved
        self._lead = 1.0  # when nothing is learnt, and of which actions
        self._led: List[int] = []
        self._led_averages: List[int] = []

    def learn(self) -> None:
        """Set the margin, and take the lead off, until it is settled."""
        margin = self.session.margin
        if not margin and self._lead == 1.0:
            return
        if self._both is not None:  # someone else has moved it
            self._led = []
        settled = output_weights(self.pipe)
        scale_lead(self.pipe, self._led, 1 / self._lead)
        if margin:
            set_margin(self.pipe, margin, self.session.old_labels)
        self._both = settled, output_weights(self.pipe)

    def settle(self) -> None:
        """Undo `learn` and `silence`, bit by bit, unless the weights have moved."""
        self._undo(self._silenced)
        self._silenced = None
        if self._undo(self._both):
            self._both = None

    def silence(self) -> None:
        """Let what is saved not find what was never learnt, until it is settled again:
        see unseen.py.
        """
        if not can_distil(self.pipe):  # it has no actions
            return
        before = output_weights(self.pipe)
        # Those of earlier pipes, too, which the recogniser must have: prepare.py.
        added = [x for x in self.pipe.labels if x not in self.session.old_labels]
        if silence_unseen(self.pipe, added):
            self._silenced = before, output_weights(self.pipe)

    def _undo(self, change: BothT) -> bool:
        """Put weights back that were changed, unless they have moved since.

        change (Optional[Tuple[ParamsT, ParamsT]]): What they were, and what they are.
        RETURNS (bool): Whether they are back.
        """
        if change is None:
            return False
        layer = output_layer(self.pipe.model)
        before, after = change
        now = {name: layer.get_param(name).copy() for name in before}
        # It may have grown: see check_not_grown.
        old = {name: old_part(now[name], before[name]) for name in before}
        # Within nlp.use_params, the averages stand there, which were not changed.
        is_same = all((old[name] == after[name]).all() for name in before)
        for name in before if is_same else ():
            old[name][...] = before[name]
            layer.set_param(name, now[name])
        return is_same

    @contextmanager
    def moving(self, averages: Optional[AveragesT], n_updates: int) -> Iterator[None]:
        """Let an optimizer move weights and averages as they are learnt.

        averages (Optional[Dict[Tuple[int, str], Array]]): The optimizer's averages.
            None if it keeps none.
        n_updates (int): How many updates there were, with this one.
        """
        scale_lead(self.pipe, self._led, 1 / self._lead)
        scale_averages(averages or {}, self.pipe, self._led_averages, 1 / self._lead)
        try:
            yield
        finally:  # also if it is interrupted: spaCy saves what there is
            self._lead = lead_after(n_updates, self.session.lead)
            if self._lead != 1.0:
                self._led = seen_actions(self.pipe, self.session.labels)
                self._led_averages = self._led
                scale_lead(self.pipe, self._led, self._lead)
                scale_averages(averages or {}, self.pipe, self._led, self._lead)
