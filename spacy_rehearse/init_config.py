"""A complete training config for a given base pipeline."""

from pathlib import Path
from typing import Any, Collection, Dict, List, Optional, Sequence

from spacy.language import Language
from spacy.tokens import Doc
from spacy.training import Example
from spacy.util import CONFIG_SECTION_ORDER
from spacy.vocab import Vocab
from thinc.api import Config

from . import recipe
from .column import DEFAULT_COLUMN
from .column_fit import can_grow, copy_fits
from .gold import check_dev, read_docs, resolve_labels, share_hidden
from .listeners import has_transformer, listener_paths, upstream_of
from .scorer import SCORE_WEIGHTS, default_score_weights
from .teacher import (
    BATCH_SIZE,
    annotators_of,
    check_recogniser,
    load_pipeline,
    predict_entities,
    remove_rehearsal,
    required_pipes,
)
from .thinning import share_to_keep, thin

LOOKED_AT = 500  # gold texts, to see how often the base's entities hide the new ones
# Of [nlp]: what belongs to the base, beside its language, pipes and vectors.
OF_THE_BASE = (
    "batch_size",
    "tokenizer",
    "before_creation",
    "after_creation",
    "after_pipeline_creation",
)
# By whether there is rehearsal.
LOGGERS = {
    True: "spacy-rehearse.ConsoleLogger.v1",
    False: "spacy.ConsoleLogger.v3",
}


def make_config(
    base: str,
    *,
    train: Path,
    dev: Path,
    pool: Optional[Sequence[Path]],
    labels: Optional[Sequence[str]] = None,
    component: str = "ner",
    gpu: bool = False,
    column: bool = True,
) -> Config:
    """Make a complete config for `spacy train`.

    base (str): Package name or path of the original pipeline.
    train (Path): The gold.
    dev (Path): The gold to choose the checkpoint by.
    pool (Optional[Sequence[Path]]): Raw text. If None, the config is one of naive
        fine-tuning, without rehearsal: the baseline.
    labels (Optional[Sequence[str]]): Labels on which the gold is the authority.
    component (str): The name of the base's entity recogniser.
    gpu (bool): Whether to train on a GPU.
    column (bool): Whether new labels get a column, where one can be added. Else all
        weights learn.
    RETURNS (Config): The config, filled.
    RAISES (ValueError): If the base has no such component, the gold no new label, or
        dev none of them.
    """
    nlp = load_pipeline(base, "base", "--base")
    check_recogniser(nlp, component, f"base {base!r}")
    remove_rehearsal(nlp)
    recogniser: Any = nlp.get_pipe(component)
    docs = read_docs(train, Vocab())
    marked = recipe.measure_gold(docs).labels
    new = resolve_labels(labels, marked, recogniser.labels)
    dev_docs = read_docs(dev, Vocab())
    check_dev(str(dev), recipe.measure_gold(dev_docs).labels, new)
    keep = share_to_keep(docs, dev_docs, new)
    docs = thin(docs, keep, new)
    gold = recipe.measure_gold(docs).only(new)
    rehearse = pool is not None
    # A column learns beside shared embeddings; else, the recogniser needs its own copy.
    fits = can_grow(nlp, component) and not has_transformer(nlp, component)
    grow = rehearse and column and fits
    hidden = _share_hidden(nlp, component, docs, new)
    step_back = recipe.must_step_back(hidden, {*new} & {*recogniser.labels})
    # If dev stands for a pool, there is little text, and none of it is learnt.
    is_dev = [path.resolve() for path in pool or []] == [dev.resolve()]
    heldout = recipe.HELDOUT_OF_DEV if is_dev else recipe.HELDOUT
    names = ["rehearsal"] * rehearse + nlp.component_names
    # CuPy has an allocator of its own. PyTorch's is for models that use both.
    allocator = "pytorch" if gpu and has_transformer(nlp, component) else None
    config: Dict[str, Dict[str, Any]] = {
        "paths": _paths(base, train, dev, pool),
        "system": {"seed": 0, "gpu_allocator": allocator},
        "nlp": _nlp_section(nlp, names, _needed(nlp, component), grow),
        "components": _components(nlp, component, rehearse, grow, gold),
        "corpora": {
            "train": {**_corpus("train"), "augmenter": _thinner(keep, new, marked)},
            "dev": _corpus("dev"),
        },
        "training": _training(nlp, component, gold, rehearse, grow, step_back),
        "initialize": _initialize(nlp, labels, pool, gold, grow, heldout),
    }
    # The defaults first, as `spacy init fill-config` has it, then what differs.
    filled = Config(nlp.default_config, section_order=CONFIG_SECTION_ORDER)
    for key, section in config.items():
        filled[key] = {**filled.get(key, {}), **section}
    return filled


def _share_hidden(
    nlp: Language, component: str, gold: Sequence[Doc], labels: Collection[str]
) -> float:
    """How many of the new entities the base's hide, in the first texts of the gold."""
    docs = gold[:LOOKED_AT]
    pipes = _needed(nlp, component)
    texts = [doc.text for doc in docs]
    taught = dict(zip(texts, predict_entities(nlp, pipes, texts), strict=True))
    return share_hidden([Example(doc, doc) for doc in docs], taught, labels)


def _needed(nlp: Language, component: str) -> List[str]:
    """RETURNS (List[str]): The pipes that run when the teacher labels a text."""
    return required_pipes(nlp, component, annotators_of(nlp, component))


def _paths(base, train, dev, pool) -> Dict[str, Any]:
    paths: Dict[str, Any] = {"base": base, "train": str(train), "dev": str(dev)}
    if pool is not None:
        files = [str(path) for path in pool]
        paths["pool"] = files[0] if len(files) == 1 else files
    return paths


def _nlp_section(
    nlp: Language, names: List[str], needed: Sequence[str], grow: bool
) -> Dict[str, Any]:
    own = {key: nlp.config["nlp"][key] for key in OF_THE_BASE}
    if grow and own["batch_size"] == nlp.default_config["nlp"]["batch_size"]:
        own["batch_size"] = BATCH_SIZE  # a column has more arrays to be cleared
    vectors = nlp.config["nlp"].get("vectors", {"@vectors": "spacy.Vectors.v1"})
    return {
        **own,
        "lang": nlp.lang,
        "pipeline": names,
        "disabled": [name for name in nlp.disabled if name not in needed],
        "vectors": vectors,
    }


def _components(
    nlp: Language, component: str, rehearse: bool, grow: bool, gold: recipe.GoldSize
) -> Dict[str, Any]:
    components: Dict[str, Any] = {}
    if rehearse:
        components["rehearsal"] = {
            "factory": "rehearsal",
            "component": component,
            "ratio": recipe.RATIO,
            "soft": recipe.SOFT,
            "margin": None if grow else 0.0,
            "rename": None if grow else 0.0,
            "regularizers": {} if grow else recipe.regularizers(gold),
        }
    for name in nlp.component_names:
        components[name] = {"source": "${paths.base}"}
        if name == component and not grow and upstream_of(nlp, component):
            components[name]["replace_listeners"] = listener_paths(nlp, component)
    return components


def _corpus(name: str) -> Dict[str, Any]:
    return {
        "@readers": "spacy.Corpus.v1",
        "path": f"${{paths.{name}}}",
        "gold_preproc": False,
        "max_length": 0,
        "limit": 0,
        "augmenter": None,
    }


def _thinner(
    keep: float, new: Sequence[str], marked: Collection[str]
) -> Optional[Dict[str, Any]]:
    """Leaves most texts without an entity out, if hardly any has one."""
    if keep == 1:
        return None
    thinner = {"@augmenters": "spacy-rehearse.Thin.v1", "keep": keep}
    return thinner if {*marked} <= {*new} else {**thinner, "labels": list(new)}


def read_gold_of(config: Config) -> List[Doc]:
    """Read the gold of a config of `make_config`, as the training will see it.

    config (Config): The config.
    RETURNS (List[Doc]): The docs.
    """
    docs = read_docs(Path(config["paths"]["train"]), Vocab())
    thinner = config["corpora"]["train"]["augmenter"]
    if not thinner:
        return docs
    return thin(docs, thinner["keep"], thinner.get("labels"))


def _training(
    nlp: Language,
    component: str,
    gold: recipe.GoldSize,
    rehearse: bool,
    grow: bool,
    step_back: bool,
) -> Dict[str, Any]:
    transformer = has_transformer(nlp, component)
    copy = recipe.should_copy(gold.n_words, gold.labels.total())
    copy = copy and copy_fits(nlp, component)
    # As long for other methods: they are compared with what a copy learns.
    length = recipe.training_length(
        gold.n_words, copy=copy, step_back=step_back, transformer=transformer
    )
    rate = recipe.COLUMN_LEARN_RATE if grow else recipe.LEARN_RATE
    if grow and copy:
        rate = recipe.COPY_LEARN_RATE
    if transformer:
        rate = recipe.TRANSFORMER_LEARN_RATE
    others = [name for name in nlp.component_names if name != component]
    own = annotators_of(nlp, component)
    weights: Dict[str, Optional[float]] = {}
    for name in others:  # frozen, and dev may not be annotated for them
        weights.update(dict.fromkeys(default_score_weights(nlp, name)))
    if rehearse:
        weights = {**SCORE_WEIGHTS, **weights}
    for key, weight in default_score_weights(nlp, component).items():
        weights[key] = None if weight is None else 0.0 if rehearse else weight
    return {
        "seed": "${system.seed}",
        "gpu_allocator": "${system.gpu_allocator}",
        "train_corpus": "corpora.train",
        "dev_corpus": "corpora.dev",
        "dropout": recipe.dropout(gold),
        "accumulate_gradient": 1,
        "max_epochs": 0,
        **length,
        "frozen_components": others,
        "annotating_components": _needed(nlp, component)[:-1] if grow else own,
        "before_update": None,
        "batcher": recipe.batcher(),
        "optimizer": recipe.optimizer(length["max_steps"], rate),
        "score_weights": weights,
        "logger": {"@loggers": LOGGERS[rehearse], "progress_bar": None},
        "before_to_disk": (
            {"@callbacks": "spacy-rehearse.export.v1"} if rehearse else None
        ),
    }


def _initialize(
    nlp: Language,
    labels: Optional[Sequence[str]],
    pool: Optional[Sequence[Path]],
    gold: recipe.GoldSize,
    grow: bool,
    heldout: float,
) -> Dict[str, Any]:
    section: Dict[str, Any] = {
        "vectors": "${paths.base}" if len(nlp.vocab.vectors) else None,
        "init_tok2vec": None,
        "vocab_data": None,
        "lookups": None,
        "after_init": None,
        "before_init": {
            "@callbacks": "spacy.copy_from_base_model.v1",
            "tokenizer": "${paths.base}",
            "vocab": "${paths.base}",
        },
        "components": {},
        "tokenizer": {},
    }
    if pool is not None:
        section["components"] = {
            "rehearsal": {
                "teacher": "${paths.base}",
                "labels": list(labels) if labels else None,
                "heldout": heldout,
                "cache": ".rehearsal_cache",
                "expert": recipe.expert_settings(gold),
                "column": dict(DEFAULT_COLUMN) if grow else None,
                "pool": {
                    "@readers": "spacy-rehearse.RawText.v1",
                    "path": "${paths.pool}",
                    "min_length": recipe.shortest_text(nlp.lang),
                    "max_length": recipe.LONGEST_TEXT,
                    "limit": 0,
                    "seed": None,
                    "skip_invalid": False,
                },
            }
        }
    return section
