"""The component `rehearsal`: the hooks by which spaCy's training loop rehearses."""

import math
import sys
import warnings
from collections import Counter
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
)

import srsly
from spacy import util
from spacy.language import Language
from spacy.pipeline import Pipe
from spacy.tokens import Doc
from spacy.training import Example, validate_examples
from thinc.api import Config, Model, Optimizer
from wasabi import Printer

from .averaging import longer_averages, start_averages
from .checks import (
    check_enabled,
    check_none_is_late,
    check_not_grown,
    check_output,
    check_regularizers,
)
from .column import DEFAULT_COLUMN
from .discriminative import Discriminative
from .evaluate import LabelScore, evaluate_student
from .expert import DEFAULT_EXPERT
from .freeze import both, put_back, update_movable
from .head import Head
from .parity import check_parity, weights_digest
from .prepare import prepare
from .regularizers import FISHER_TEXTS, FROZEN_PARTS, RegularizerT
from .rehearse import complete_gold, learn_silver, mend_for_student
from .scorer import SCORE_WEIGHTS
from .session import Session
from .settings import PoolT, Settings

DEFAULT_CONFIG = """
[rehearsal]
component = "ner"
ratio = 3.0
soft = 1.0
margin = null
rename = null

[rehearsal.regularizers]
"""


@Language.factory(
    "rehearsal",
    default_config=Config().from_str(DEFAULT_CONFIG)["rehearsal"],
    default_score_weights=SCORE_WEIGHTS,
)
def make_rehearsal(
    nlp: Language,
    name: str,
    component: str,
    ratio: float,
    soft: float,
    margin: Optional[float],
    rename: Optional[float],
    regularizers: Dict[str, Any],  # RegularizerT: spaCy checks blocks unresolved
) -> "Rehearsal":
    """Create the rehearsal component. It loads nothing: `initialize` does the work.

    nlp (Language): The pipeline that learns.
    name (str): The name of the instance.
    component (str): The name of the entity recogniser that learns.
    ratio (float): Silver words in an update for each gold word in it.
    soft (float): Weight of distillation on the teacher's scores, 0 for none.
    margin (Optional[float]): By how much the score of `O` is raised while new labels
        learn, so that they win over it more often when it is over; scores of old labels
        are lowered by twice as much, so that they lose to new ones less often. None for
        a margin where experts miss most of the gold that is held out from them or,
        without experts, it marks less than 500 new entities.
    rename (Optional[float]): Share of the new labels' entities in the gold that are
        learnt under a made-up name; without silver, of the old ones', too. None for
        what fits, beside a column, where most names occur once, but for labels of which
        most entities are in lower case: terms, not names. Then some of the rest may
        stand in each other's place (recipe.shares_renamed).
    regularizers (Dict[str, RegularizerT]): Methods in weight space, by any name, e.g.
        spacy-rehearse.L2SP.v1.
    """
    return Rehearsal(
        nlp,
        name,
        component=component,
        ratio=ratio,
        soft=soft,
        margin=margin,
        rename=rename,
        regularizers=regularizers,
    )


class Rehearsal(Pipe):
    """Pseudo-rehearsal (Robins 1995; Honnibal 2017) for an entity recogniser.

    Stands first in the pipeline while it is trained. It completes the gold with what
    a frozen copy of the original pipeline, the teacher, says of the old labels, and
    adds to each update silver: raw text labelled by the teacher. Documents pass
    through it unchanged.

    nlp (Language): The pipeline that learns.
    name (str): The name of the instance.
    component (str): The name of the entity recogniser that learns.
    ratio (float): Silver words in an update for each gold word in it.
    soft (float): Weight of distillation on the teacher's scores, 0 for none.
    margin (Optional[float]): By how much the score of `O` is raised while new labels
        learn, half of that by which old labels' are lowered. None for what fits the
        gold.
    rename (Optional[float]): Share of the new labels' entities that are learnt under a
        made-up name. None for what fits the gold.
    regularizers (Optional[Dict[str, RegularizerT]]): Methods in weight space.
    """

    hide_labels = True

    def __init__(
        self,
        nlp: Optional[Language],
        name: str = "rehearsal",
        *,
        component: str = "ner",
        ratio: float = 3.0,
        soft: float = 1.0,
        margin: Optional[float] = None,
        rename: Optional[float] = None,
        regularizers: Optional[Dict[str, RegularizerT]] = None,
    ) -> None:
        self.nlp: Any = nlp  # None only in a worker process
        self.name = name
        self.component = component
        self.ratio = ratio
        self.soft = soft
        self.margin = margin
        self.rename = rename
        self.regularizers = dict(regularizers or {})
        # No weights of its own: spaCy's loop calls finish_update only with a model.
        self.model: Model = Model("rehearsal", _pass_through)
        self.session: Optional[Session] = None
        self._start_anew()

    def _start_anew(self) -> None:
        self.counts: Counter = Counter()  # what became of the gold
        self.scores: Dict[str, Any] = {}
        self.best_score = 0.0
        self.n_updates = 0
        self.labels_scored: List[LabelScore] = []  # at the last checkpoint
        self.unsaved_score = False
        self._compared = self._warned = self._told_of_saving = False
        self._head: Any = None  # a Head, once it is initialized
        self._renamed: List[Tuple[Example, Doc, Doc]] = []  # and what they were
        self._losses: Optional[Dict[str, float]] = None

    @property
    def is_trainable(self) -> bool:
        return True

    def __call__(self, doc: Doc) -> Doc:
        """RETURNS (Doc): The doc, unchanged. Pipes after it predict as they are saved,
        also in the middle of an update.
        """
        self.settle()
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """YIELDS (Doc): The docs, unchanged. See __call__."""
        self.settle()
        yield from stream

    def initialize(  # type: ignore[override]
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Optional[Language] = None,
        teacher: str,
        pool: PoolT,
        labels: Optional[List[str]] = None,
        heldout: float = 0.1,
        cache: Optional[str] = ".rehearsal_cache",
        expert: Optional[Dict[str, Any]] = DEFAULT_EXPERT,
        column: Optional[Dict[str, Any]] = DEFAULT_COLUMN,
        memory: Optional[Dict[str, Any]] = None,
    ) -> None:
        """Load the teacher, label the pool with it, add the new labels.

        get_examples (Callable[[], Iterable[Example]]): The gold.
        nlp (Optional[Language]): The pipeline, with this component first in it.
        teacher (str): Package name or path of the original pipeline.
        pool (Callable[[Language], Iterator[str]]): The raw text, e.g.
            spacy-rehearse.RawText.v1.
        labels (Optional[List[str]]): Labels on which the gold is the authority: all
            their mentions are marked in it. By default those that the teacher lacks.
        heldout (float): Share of the pool, at most 1,000 texts and 100,000 words, to
            measure retention by; never trained on.
        cache (Optional[str]): Folder in which silver is kept for the next run. None
            to keep it in memory.
        expert (Optional[Dict[str, Any]]): `n_experts` copies of the teacher learn the
            gold alone, in at most `max_passes` passes, and find the new labels in the
            pool, unless most of what they would find is wrong. What they would find if
            the new labels' scores were higher by `lean` is missing there; `lean` None
            for as much as fits the gold. None for no expert.
        column (Optional[Dict[str, Any]]): The new labels get weights of their own:
            token vectors of some `width` from convolutional layers of some `depth`, and
            `hidden` units, or a `copy` of the base's; None for what fits the gold, and
            for no copy if a size is given. The base's own weights are
            frozen. With `step_back`, the old labels read them, too, to learn to make
            room; None to do so where they often hide new ones, or one is corrected.
            None to let all weights learn, held by distillation.
        memory (Optional[Dict[str, Any]]): What people annotated in earlier rounds is
            replayed from `path`, and this round's gold is merged with it into
            `save_to`: as many texts as `capacity`, chosen by `policy`, e.g.
            spacy-rehearse.Rare.v1.
        RAISES (ValueError): If anything would spoil the training.
        """
        self.nlp = nlp or self.nlp
        check_regularizers(self.nlp, self.name, self.regularizers)
        check_output(teacher, sys.argv)
        kept = f". What is done is kept in {cache}" if cache else ""
        tell(f"Labelling gold and pool with the teacher: it takes a while, once{kept}")
        if expert is not None:
            tell("Then training experts on the gold: that takes a while each time")
        how = self.settings(
            teacher=teacher,
            pool=pool,
            labels=labels,
            heldout=heldout,
            cache=cache,
            expert=expert,
            column=column,
            memory=memory,
        )
        try:
            self.session = prepare(self.nlp, get_examples, how)
        except KeyboardInterrupt:
            if cache:
                tell(f"Interrupted{kept}, and the next run goes on from there")
            raise
        self._start_anew()
        self._head = Head(self.nlp, self.session)
        for line in self.session.summary:
            tell(line)

    def settings(self, **given: Any) -> Settings:
        """Put all settings together.

        **given (Any): Those of `initialize`, all of them.
        RETURNS (Settings): How to rehearse.
        """
        regularizers = self.regularizers.values()
        n_texts = [getattr(x, FISHER_TEXTS, 0) for x in regularizers]
        parts = [name for x in regularizers for name in getattr(x, FROZEN_PARTS, ())]
        return Settings(
            name=self.name,
            component=self.component,
            ratio=self.ratio,
            soft=self.soft,
            margin=self.margin,
            rename=self.rename,
            regularized=bool(regularizers),
            fisher_texts=max(n_texts, default=0),
            frozen_parts=parts,
            **given,
        )

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optional[Optimizer] = None,
        losses: Optional[Dict[str, float]] = None,
    ) -> Dict[str, float]:
        """Complete the gold in place and add the gradient of some silver.

        examples (Iterable[Example]): The gold batch, before any other pipe sees it.
        drop (float): The dropout rate.
        sgd (Optional[Optimizer]): Not used: the weights move in `finish_update`.
        losses (Optional[Dict[str, float]]): Updated with the loss on the silver.
        RETURNS (Dict[str, float]): The losses.
        RAISES (ValueError): If it was not initialized, student and teacher differ
            before the first update, a label comes later, or the loss is no number.
        """
        session = self._require_session()
        examples = list(examples)
        validate_examples(examples, "Rehearsal.update")
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        if not self._compared:
            check_enabled(self.nlp, self.component)
            check_parity(self.nlp, session)
            self._compared, self._losses = True, losses
        self.settle()  # gradients may be accumulated over several updates
        check_not_grown(self.nlp, self.component, session.target_labels)
        self._put_back()
        self._head.learn()
        self.counts.update(complete_gold(self.nlp, session, examples))
        check_none_is_late(examples, session.target_labels)
        losses[self.name] += self._rehearse(session, examples, drop)
        self._rename(session, examples)
        self._check_losses(losses)
        return losses

    def _rehearse(
        self, session: Session, examples: Sequence[Example], drop: float
    ) -> float:
        """Add the gradient of what is learnt beside completed gold. Its loss."""
        n_words = sum(len(eg) for eg in examples)
        silver = session.interleaver.draw(n_words) + session.replay.draw(n_words)
        return learn_silver(self.nlp, session, silver, drop)

    def _check_losses(self, losses: Dict[str, float]) -> None:
        """Raise a ValueError if the training has exploded."""
        for name in (self.name, self.component):
            if not math.isfinite(losses.get(name, 0.0)):
                strengths = ", ".join(self.regularizers) or "none"
                raise ValueError(
                    f"the loss of {name!r} is {losses[name]} after {self.n_updates} "
                    "updates: the weights have exploded. Lower [training.optimizer] "
                    "learn_rate, or the strength of the regularizers (there are: "
                    f"{strengths})"
                )

    def finish_update(self, sgd: Optimizer) -> None:
        """Apply the regularizers, now that all gradients are in, and move the rest.

        At the first update, let averages start at the weights, and notice when it is
        called too early.

        sgd (Optimizer): The optimizer.
        """
        session = self._require_session()
        self.settle()
        self.n_updates += 1
        losses, self._losses = self._losses, None
        models = [self.nlp.get_pipe(name).model for name in session.learning]
        averages = getattr(sgd, "averages", None)
        if losses is not None:  # the first update
            start_averages(models, averages)
            if self.component not in losses:
                self._warn_of_order()
            if isinstance(sgd, Discriminative):
                sgd.bind(models)
        movable = session.movable
        for regularize in self.regularizers.values() if session.starts else ():
            movable = both(movable, regularize(session.starts, sgd) or {})
        if movable:
            longer = averages if session.averages_longer else None
            with (
                self._head.moving(averages, self.n_updates),
                longer_averages(models, longer, self.n_updates),
            ):
                for model in models:
                    update_movable(model, sgd, movable)

    def settle(self) -> None:
        """Let scores and gold be what they are when nothing is learnt: see head.py and
        renaming.py.
        """
        for eg, predicted, reference in self._renamed:
            eg.predicted, eg.reference = predicted, reference
        self._renamed = []
        if self._head is not None:
            self._head.settle()

    def hold(self) -> None:
        """Settle, and put frozen weights back that someone else has moved: what is
        saved must be what is promised.
        """
        self.settle()
        if self.session is not None:
            self._put_back()
            self._head.silence()

    def _rename(self, session: Session, examples: Sequence[Example]) -> None:
        """Show the recogniser, after this component, some names as made-up ones."""
        if session.renamer is None:
            return
        renamed = session.renamer.rename(examples)
        for eg, docs in zip(examples, renamed, strict=True):
            if docs is not None:
                self._renamed.append((eg, eg.predicted, eg.reference))
                eg.predicted, eg.reference = docs
                # Between other words, sentences may begin elsewhere.
                mend_for_student(self.nlp, session, eg)

    def _put_back(self) -> None:
        """Put frozen weights back that moved, and warn, once, that they did, or that
        others did without this component.
        """
        session = self._require_session()
        if session.movable:
            model = self.nlp.get_pipe(self.component).model
            if put_back(model, session.movable, session.frozen_weights):
                self._warn_of_order()
        elif self._compared and not self.n_updates and session.weights_digest:
            if weights_digest(self.nlp, session.learning) != session.weights_digest:
                self._warn_of_order()

    def _warn_of_order(self) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(
                "weights moved before all gradients were in, or before the rehearsal "
                "component could hold them. Call nlp.update(examples, sgd=False, "
                "losses=losses), not sgd=optimizer, and then "
                "pipe.finish_update(optimizer) for each pipe, in the order of "
                "nlp.pipeline, as spaCy's own training loop does",
                stacklevel=3,
            )

    def score(self, examples: Iterable[Example], **kwargs) -> Dict[str, Any]:
        """Score what was learnt and what was kept.

        examples (Iterable[Example]): The gold dev set, with predictions.
        RETURNS (Dict[str, Any]): All keys of SCORE_WEIGHTS, always. None where there
            is nothing to measure by.
        """
        if self.session is None:
            return dict.fromkeys(SCORE_WEIGHTS)
        self.scores, self.labels_scored = evaluate_student(
            self.nlp, self.session, list(examples)
        )
        self.best_score = max(self.best_score, self.scores["rehearsal_score"] or 0.0)
        self.unsaved_score = True
        return dict(self.scores)

    def _require_session(self) -> Session:
        if self.session is None:
            raise ValueError(
                f"component {self.name!r} was not initialized: set teacher and pool in "
                "[initialize.components.rehearsal]; in a loop of your own, call "
                "nlp.initialize(get_examples) inside "
                '`with nlp.select_pipes(enable=["rehearsal"])`. A copy of a pipeline, '
                "or what was saved of it, has to be initialized anew. One that is only "
                "used to predict does not need the component: remove it"
            )
        return self.session

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """RETURNS (bytes): The settings. Neither teacher nor pool is saved."""
        self.hold()  # if an update was interrupted: other pipes are saved after this
        return srsly.json_dumps(self._cfg()).encode("utf8")

    def from_bytes(self, data: bytes, *, exclude: Iterable[str] = ()) -> "Rehearsal":
        """RETURNS (Rehearsal): The component, with the settings loaded."""
        return self._load(srsly.json_loads(data))

    def to_disk(self, path, *, exclude: Iterable[str] = ()) -> None:
        """Save the settings. Neither teacher nor pool is saved."""
        self.hold()
        if self.session is not None and not self._told_of_saving:
            self._told_of_saving = True  # and not again at each checkpoint
            tell(
                "What is saved holds the rehearsal component, and needs "
                "spacy-rehearse to be loaded. For an ordinary pipeline, set [training."
                'before_to_disk] @callbacks = "spacy-rehearse.export.v1" (its `also` '
                "takes a callback of yours)"
            )
        path = util.ensure_path(path)
        path.mkdir(parents=True, exist_ok=True)
        srsly.write_json(path / "cfg", self._cfg())

    def from_disk(self, path, *, exclude: Iterable[str] = ()) -> "Rehearsal":
        """RETURNS (Rehearsal): The component, with the settings loaded."""
        return self._load(srsly.read_json(util.ensure_path(path) / "cfg"))

    def _cfg(self) -> Dict[str, Any]:
        keys = ("component", "ratio", "soft", "margin", "rename")
        return {key: getattr(self, key) for key in keys}

    def _load(self, cfg: Dict[str, Any]) -> "Rehearsal":
        for key, value in cfg.items():
            setattr(self, key, value)
        return self

    def __deepcopy__(self, memo: Dict[int, Any]) -> "Rehearsal":
        copied = _unpickle(self.name, self._cfg())
        copied.regularizers = dict(self.regularizers)
        return copied

    def __reduce__(self):
        # Worker processes of nlp.pipe get the settings, not teacher and silver.
        return _unpickle, (self.name, self._cfg())


def tell(line: str) -> None:
    """Show a line on stderr, where progress bars are shown, too."""
    sys.stderr.write(f"{Printer(no_print=True).info(line)}\n")


def _pass_through(model: Model, X: Any, is_train: bool):
    return X, lambda dX: dX


def _unpickle(name: str, cfg: Dict[str, Any]) -> Rehearsal:
    return Rehearsal(None, name, **cfg)
