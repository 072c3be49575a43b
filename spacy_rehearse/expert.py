"""The expert: a copy of the base that learns the gold alone, and then finds the new
labels in the pool, where the teacher says `O` (double distillation: Deep Model
Consolidation, Zhang et al. 2020). What it finds there: see findings.py.

It forgets the old labels, and away from the gold's kind of text it sees new labels
everywhere. So there are several, each with another fold of the gold held out.
"""

import random
from statistics import mean
from typing import (
    Any,
    Callable,
    Collection,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from spacy.language import Language
from spacy.scorer import PRFScore
from spacy.tokens import Doc
from spacy.training import Example
from thinc.api import Adam, Optimizer

from .gold import mend_entities
from .listeners import only_listener, upstream_of
from .parameters import KeyT, Parameter, parameters
from .progress import progress
from .recipe import LEAN
from .scorer import entity_prf
from .teacher import annotate_docs
from .unseen import see_in_beam

DEFAULT_EXPERT = {"n_experts": 2, "max_passes": 6, "lean": None}
FOLD = 0.2  # share of the gold that an expert is stopped by
PATIENCE = 2  # passes without a better score on it
BATCH_WORDS = 500
FINDS_MOST = 0.5  # recall on it: below, gold is too scarce for what it teaches
FEWEST_STEPS = 10  # in what counts as a pass, for very small gold


class Expert(NamedTuple):
    """A pipeline that knows the new labels, and nothing else any more.

    nlp (Language): The pipeline.
    pipes (Sequence[str]): The pipes it takes, the recogniser last.
    score (PRFScore): How well it does on its held-out fold.
    n_passes (int): After how many passes over the gold it did so.
    heldout (Sequence[Doc]): The fold.
    lean (float): By how much new labels' scores are raised to find what may be one.
    """

    nlp: Language
    pipes: Sequence[str]
    score: PRFScore
    n_passes: int
    heldout: Sequence[Doc] = ()
    lean: float = 0.0


def train_expert(
    nlp: Language,
    pipes: Sequence[str],
    gold: Sequence[Doc],
    heldout: Sequence[Doc],
    labels: Collection[str],
    *,
    max_passes: int,
    learn_rate: float,
    seed: int,
    on_pass: Callable[[], object] = lambda: None,
) -> Expert:
    """Fine-tune a copy of the base on the gold alone, until a held-out fold is at its
    best.

    nlp (Language): A copy of the base, changed in place.
    pipes (Sequence[str]): The pipes that it takes, the recogniser last: that learns,
        and what it listens to.
    gold (Sequence[Doc]): The gold.
    heldout (Sequence[Doc]): Gold that is not trained on.
    labels (Collection[str]): The new labels.
    max_passes (int): The most passes over the gold.
    learn_rate (float): The learning rate.
    seed (int): Seed of the order.
    on_pass (Callable[[], object]): Called after each pass.
    RETURNS (Expert): The expert, with the weights of its best pass.
    """
    recogniser: Any = nlp.get_pipe(pipes[-1])
    for label in labels:
        recogniser.add_label(label)
    see_in_beam(recogniser, labels)
    optimizer = Adam(
        learn_rate, L2=0.01, L2_is_weight_decay=True, grad_clip=1.0, use_averages=True
    )
    rng = random.Random(seed)
    best, since = Expert(nlp, pipes, PRFScore(), 0, heldout), 0
    best_weights: Dict[KeyT, Any] = {}
    for n_passes in range(1, max_passes + 1):
        _learn(nlp, pipes, _batches(gold, rng), optimizer)
        with nlp.use_params(optimizer.averages):
            score = _score(nlp, pipes, heldout, labels)
            weights = _weights(nlp, pipes)
        on_pass()
        since += 1
        if score.fscore > best.score.fscore or not best.score.fscore:
            # Patience is for who has begun to learn: with scarce gold, that takes time.
            best, since = Expert(nlp, pipes, score, n_passes, heldout), 0
            best_weights = weights
        if since == PATIENCE:
            break
    _set_weights(nlp, pipes, best_weights)
    return best


def train_experts(
    load: Callable[[], Language],
    pipes: Sequence[str],
    gold: Sequence[Doc],
    labels: Collection[str],
    *,
    n_experts: int,
    max_passes: int,
    learn_rate: float,
    seed: int,
    lean: Optional[float] = None,
) -> List[Expert]:
    """Train experts, each with another fold of the gold held out.

    load (Callable[[], Language]): Loads the base anew.
    pipes (Sequence[str]): The pipes that learn, the recogniser last.
    gold (Sequence[Doc]): The gold.
    labels (Collection[str]): The new labels.
    n_experts (int): How many experts, at most as many as there are texts. Beyond five,
        two have the same fold.
    max_passes (int): The most passes over the gold.
    learn_rate (float): The learning rate.
    seed (int): Seed of folds and order.
    lean (Optional[float]): By how much they raise new labels' scores to find what may
        be one. If None, by LEAN if they miss most of the gold that is held out.
    RETURNS (List[Expert]): The experts. An empty list if the gold is a single text.
    """
    n_texts = len({doc.text for doc in gold})
    numbers = range(min(n_experts, n_texts) if n_texts > 1 else 0)
    experts = []
    n_passes = len(numbers) * max_passes  # at most
    with progress(total=n_passes, unit=" passes", desc="Experts") as bar:
        for number in numbers:
            train, heldout = split_folds(gold, number, seed)
            expert = train_expert(
                load(),
                pipes,
                train,
                heldout,
                labels,
                max_passes=max_passes,
                learn_rate=learn_rate,
                seed=seed + number,
                on_pass=bar.update,
            )
            experts.append(expert)
    if lean is None:
        lean = LEAN if miss_most(experts) else 0.0
    return [expert._replace(lean=lean) for expert in experts]


def miss_most(experts: Sequence[Expert]) -> bool:
    """RETURNS (bool): Whether experts miss most of the gold that is held out from them,
    as they do where it is scarce.
    """
    recalls = [expert.score.recall for expert in experts]
    return bool(recalls) and mean(recalls) < FINDS_MOST


def split_folds(
    docs: Sequence[Doc], number: int, seed: int
) -> Tuple[List[Doc], List[Doc]]:
    """Hold out another part of the gold for each expert. A text that occurs more than
    once is never in both parts.

    docs (Sequence[Doc]): The gold, at least two texts.
    number (int): Which expert's it is.
    seed (int): Seed of the order.
    RETURNS (Tuple[List[Doc], List[Doc]]): What to train on, and what is held out.
    """
    docs = random.Random(seed).sample(docs, len(docs))
    texts = list(dict.fromkeys(doc.text for doc in docs))
    size = max(1, round(FOLD * len(texts)))
    start = number * size % len(texts)
    aside = set(texts[start : start + size])
    return [x for x in docs if x.text not in aside], [
        x for x in docs if x.text in aside
    ]


def _batches(docs: Sequence[Doc], rng: random.Random) -> Iterator[List[Doc]]:
    """One pass over the docs, several if they are few."""
    n_steps = 0
    while n_steps < FEWEST_STEPS:
        batch: List[Doc] = []
        for doc in rng.sample(docs, len(docs)):
            batch.append(doc)
            if sum(map(len, batch)) >= BATCH_WORDS:
                yield batch
                batch, n_steps = [], n_steps + 1
        if batch:
            yield batch
            n_steps += 1


def _learn(
    nlp: Language,
    pipes: Sequence[str],
    batches: Iterator[List[Doc]],
    optimizer: Optimizer,
) -> None:
    upstream = upstream_of(nlp, pipes[-1])
    learning = [*upstream, pipes[-1]]
    others = [name for name in nlp.pipe_names if name not in learning]
    # They may listen to what learns.
    annotating = [] if {*pipes} <= {*learning} else pipes[:-1]
    gradients_only: Any = False
    with only_listener(nlp, upstream, pipes[-1]):
        for docs in batches:
            examples = _as_learnt(nlp, annotating, docs)
            nlp.update(examples, sgd=gradients_only, exclude=others)
            for name in learning:
                pipe: Any = nlp.get_pipe(name)
                pipe.finish_update(optimizer)


def _as_learnt(
    nlp: Language, annotating: Sequence[str], docs: Sequence[Doc]
) -> List[Example]:
    """RETURNS (List[Example]): Gold as the recogniser can be trained on it. The docs
    stay as they are.
    """
    predicted = annotate_docs(nlp, annotating, [nlp.make_doc(x.text) for x in docs])
    examples = [Example(x, y.copy()) for x, y in zip(predicted, docs, strict=True)]
    for example in examples:
        mend_entities(example)
    return examples


def _score(
    nlp: Language, pipes: Sequence[str], docs: Sequence[Doc], labels: Collection[str]
) -> PRFScore:
    idle = [name for name in nlp.pipe_names if name not in pipes]
    predicted = nlp.pipe([doc.text for doc in docs], disable=idle)
    examples = [Example(x, y) for x, y in zip(predicted, docs, strict=True)]
    return entity_prf(examples, labels)


def _parameters(nlp: Language, pipes: Sequence[str]) -> Iterator[Parameter]:
    for name in pipes:
        model = getattr(nlp.get_pipe(name), "model", None)
        yield from parameters(model) if model else ()


def _weights(nlp: Language, pipes: Sequence[str]) -> Dict[KeyT, Any]:
    return {x.key: x.weights.copy() for x in _parameters(nlp, pipes)}


def _set_weights(
    nlp: Language, pipes: Sequence[str], weights: Mapping[KeyT, Any]
) -> None:
    for parameter in _parameters(nlp, pipes):
        parameter.weights[...] = weights[parameter.key]
