"""Rivals that spaCy users are told of, as components of their own."""

import copy
from functools import wraps
from typing import Any, Dict, Type

from spacy.language import Language

from spacy_rehearse.component import Rehearsal
from spacy_rehearse.distillation import update_softly
from spacy_rehearse.examples import to_examples
from spacy_rehearse.rehearse import complete_gold


class NlpRehearse(Rehearsal):
    """spaCy's own `nlp.rehearse`, beside gold that the teacher completes."""

    @wraps(Rehearsal.initialize)  # spaCy checks settings against the signature
    def initialize(self, *args, **settings) -> None:
        super().initialize(*args, **settings)
        pipe: Any = self.nlp.get_pipe(self.component)
        pipe._rehearsal_model = copy.deepcopy(pipe.model)

    def update(self, examples, *, drop=0.0, sgd=None, losses=None):
        session, examples = self._require_session(), list(examples)
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        complete_gold(self.nlp, session, examples)
        drawn = session.interleaver.draw(sum(len(eg) for eg in examples))
        silver = to_examples(self.nlp, drawn, unknown=(), mentions=session.mentions)
        pipe: Any = self.nlp.get_pipe(self.component)
        rehearsed: Dict[str, float] = {}
        if silver:
            pipe.rehearse(silver, losses=rehearsed)
        losses[self.name] += sum(rehearsed.values())
        return losses


class ExtendNER(Rehearsal):
    """Distillation on the gold's own texts (Monaikul et al. 2021), carried over to
    transitions: beside the gold's loss, the teacher's distribution over its actions.
    """

    def update(self, examples, *, drop=0.0, sgd=None, losses=None):
        session, examples = self._require_session(), list(examples)
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        complete_gold(self.nlp, session, examples)
        distilled: Dict[str, float] = {self.component: 0.0}
        update_softly(
            self.nlp.get_pipe(self.component),
            session.teacher.nlp.get_pipe(self.component),
            examples,
            [session.teacher.nlp.make_doc(eg.reference.text) for eg in examples],
            hard=0.0,
            weight=1.0,
            authority=session.labels,
            losses=distilled,
        )
        return losses


CONFIG = {
    "component": "ner",
    "ratio": 1.0,
    "soft": 0.0,
    "margin": 0.0,
    "regularizers": {},
}


def register(factory: str, rival: Type[Rehearsal]) -> None:
    """Make a rival a factory of spaCy's, with the settings of `rehearsal`."""

    @Language.factory(factory, default_config=CONFIG)
    def make(
        nlp: Language,
        name: str,
        component: str,
        ratio: float,
        soft: float,
        margin: float,
        regularizers: Dict[str, Any],
    ) -> Rehearsal:
        return rival(
            nlp,
            name,
            component=component,
            ratio=ratio,
            soft=soft,
            margin=margin,
            regularizers=regularizers,
        )


register("nlp_rehearse", NlpRehearse)
register("extendner", ExtendNER)
