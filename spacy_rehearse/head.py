"""The head: a recogniser's output layer, as it learns and as it is used otherwise.

While gradients come in, `O` has a margin, and old labels score lower (margin.py); new
labels have no lead beyond what they learnt (lead.py). When weights are scored or saved,
it is the other way round, averages included.
"""

from contextlib import contextmanager
from typing import Any, Iterator, Optional, Tuple

from spacy.language import Language

from .averaging import AveragesT
from .layers import ParamsT, output_layer, output_weights
from .lead import scale_averages, scale_lead
from .margin import set_margin
from .parameters import old_part
from .session import Session


class Head:
    """The output layer of the recogniser that learns.

    nlp (Language): The student.
    session (Session): The training run, which says margin and lead.
    """

    def __init__(self, nlp: Language, session: Session) -> None:
        self.pipe: Any = nlp.get_pipe(session.teacher.component)
        self.session = session
        # Its weights, when nothing is learnt and while something is.
        self._both: Optional[Tuple[ParamsT, ParamsT]] = None
        self._has_lead = False  # when nothing is learnt

    def learn(self) -> None:
        """Set the margin, and take the lead off, until it is settled."""
        margin, lead = self.session.margin, self.session.lead
        if not margin and lead == 1.0:
            return
        if self._both is not None:  # someone else has moved it
            self._has_lead = False
        settled = output_weights(self.pipe)
        if self._has_lead:
            scale_lead(self.pipe, self.session.labels, 1 / lead)
        if margin:
            set_margin(self.pipe, margin, self.session.old_labels)
        self._both = settled, output_weights(self.pipe)

    def settle(self) -> None:
        """Undo `learn`, bit by bit, unless the weights have moved."""
        if self._both is None:
            return
        layer = output_layer(self.pipe.model)
        settled, learning = self._both
        now = {name: layer.get_param(name).copy() for name in settled}
        # It may have grown: see check_not_grown.
        old = {name: old_part(now[name], settled[name]) for name in settled}
        # Within nlp.use_params, the averages stand there, which are settled.
        if all((old[name] == learning[name]).all() for name in settled):
            for name in settled:
                old[name][...] = settled[name]
                layer.set_param(name, now[name])
            self._both = None

    @contextmanager
    def moving(
        self, averages: Optional[AveragesT], *, is_first: bool
    ) -> Iterator[None]:
        """Let an optimizer move weights and averages as they are learnt.

        averages (Optional[Dict[Tuple[int, str], Array]]): The optimizer's averages.
            None if it keeps none.
        is_first (bool): Whether this is the first update: averages have no lead yet.
        """
        labels, lead = self.session.labels, self.session.lead
        if self._has_lead:
            scale_lead(self.pipe, labels, 1 / lead)
        if lead != 1.0 and not is_first:
            scale_averages(averages or {}, self.pipe, labels, 1 / lead)
        try:
            yield
        finally:  # also if it is interrupted: spaCy saves what there is
            if lead != 1.0:
                scale_lead(self.pipe, labels, lead)
                scale_averages(averages or {}, self.pipe, labels, lead)
                self._has_lead = True
