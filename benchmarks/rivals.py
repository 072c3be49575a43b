"""Rivals that spaCy users are told of, as components of their own."""

import copy
from functools import wraps
from typing import Any, Dict, Type

from spacy.language import Language
from spacy.tokens import Doc
from spacy.vocab import Vocab

from spacy_rehearse.component import Rehearsal
from spacy_rehearse.distillation import update_softly
from spacy_rehearse.examples import to_examples
from spacy_rehearse.rehearse import prepared_for


class NlpRehearse(Rehearsal):
    """spaCy's own `nlp.rehearse`, beside gold that the teacher completes."""

    @wraps(Rehearsal.initialize)  # spaCy checks settings against the signature
    def initialize(self, *args, **settings) -> None:
        super().initialize(*args, **settings)
        pipe: Any = self.nlp.get_pipe(self.component)
        pipe._rehearsal_model = copy.deepcopy(pipe.model)

    def _rehearse(self, session, examples, drop):
        drawn = session.interleaver.draw(sum(len(eg) for eg in examples))
        silver = to_examples(self.nlp, drawn, unknown=(), mentions=session.mentions)
        pipe: Any = self.nlp.get_pipe(self.component)
        rehearsed: Dict[str, float] = {}
        if silver:
            pipe.rehearse(silver, losses=rehearsed)
        return sum(rehearsed.values())


class ExtendNER(Rehearsal):
    """Distillation on the gold's own texts (Monaikul et al. 2021), carried over to
    transitions: beside the gold's loss, the teacher's distribution over its actions.
    """

    def _rehearse(self, session, examples, drop):
        docs = [_copy_tokens(eg.x, session.teacher.nlp.vocab) for eg in examples]
        losses: Dict[str, float] = {self.component: 0.0}
        update_softly(
            self.nlp.get_pipe(self.component),
            session.teacher.nlp.get_pipe(self.component),
            examples,
            prepared_for(session.teacher, docs),
            hard=0.0,
            weight=1.0,
            authority=session.labels,
            losses=losses,
        )
        return losses[self.component]


def _copy_tokens(doc: Doc, vocab: Vocab) -> Doc:
    """The student's tokens, for the teacher: gold in columns comes with its own."""
    spaces = [bool(token.whitespace_) for token in doc]
    return Doc(vocab, words=[token.text for token in doc], spaces=spaces)


CONFIG = {
    "component": "ner",
    "ratio": 1.0,
    "soft": 0.0,
    "margin": 0.0,
    "rename": 0.0,
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
        rename: float,
        regularizers: Dict[str, Any],
    ) -> Rehearsal:
        return rival(
            nlp,
            name,
            component=component,
            ratio=ratio,
            soft=soft,
            margin=margin,
            rename=rename,
            regularizers=regularizers,
        )


register("nlp_rehearse", NlpRehearse)
register("extendner", ExtendNER)
