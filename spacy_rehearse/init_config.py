"""A complete training config for a given base pipeline."""

import math
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Sequence

import spacy
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.vocab import Vocab
from thinc.api import Config

from .teacher import check_recogniser, upstream_of

RATIO = 3.0
LEARN_RATE = 0.0005  # at 0.001 the old labels drift; it falls to 0 at the end
GOLD_WORDS = 250  # a batch: with three times the silver, 1,000 words an update
EPOCHS = 7  # passes over the gold
FEWEST_STEPS, MOST_STEPS = 300, 20_000
EVALUATIONS = 10  # during the training
PATIENCE = 0.4  # share of the training without a better checkpoint

COMMENTS = {
    "[paths]": [
        "Written by `python -m spacy rehearse init-config`. Train with:",
        "    python -m spacy train {config} --output training",
    ],
    "[components.rehearsal]": [
        "Labels raw text with the original pipeline and trains on it beside the gold.",
    ],
    "ratio =": ["Silver words (labelled by the original) per gold word; 0 = none."],
    "replace_listeners =": [
        "A copy of the shared embeddings of its own, so that no other pipe changes.",
    ],
    "frozen_components =": ["Pipes that stay as they are."],
    "max_steps =": ["About {passes} passes over {n} gold texts."],
    "use_averages =": ["Averaged weights keep more of the old labels."],
    "[training.batcher]": ["Words of gold in an update. Silver comes on top."],
    "[training.before_to_disk]": ["Saves a pipeline that does not need the plugin."],
    "[training.score_weights]": [
        "rehearsal_score is the harmonic mean of new F and retention. ents_f can't",
        "choose a checkpoint: dev marks new labels only. 0.0 = shown, null = hidden.",
    ],
    "[initialize.before_init]": [
        "Tokenizer and vocab do not come with a sourced component.",
    ],
    "[initialize.components.rehearsal]": [
        "labels: what the gold marks in full. By default, labels new to the teacher.",
    ],
    "cache =": ["Holds pool text! null keeps it in memory."],
    "[initialize.components.rehearsal.pool]": [
        "Raw text like that which the pipeline reads: .txt, .jsonl, .spacy, a folder.",
    ],
}


class GoldSize(NamedTuple):
    """How much gold there is.

    n_docs (int): Number of texts.
    n_words (int): Number of tokens.
    """

    n_docs: int
    n_words: int


def measure_gold(path: Path) -> GoldSize:
    """Count docs and tokens of a .spacy file, or of a folder of them.

    path (Path): The file or folder.
    RETURNS (GoldSize): The counts.
    RAISES (ValueError): If it holds no doc.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.spacy"))
    lengths = [
        len(doc) for file in files for doc in DocBin().from_disk(file).get_docs(Vocab())
    ]
    if not lengths:
        raise ValueError(f"{path} holds no doc: expected .spacy, one file or a folder")
    return GoldSize(len(lengths), sum(lengths))


def make_config(
    base: str,
    *,
    train: Path,
    dev: Path,
    pool: Optional[Sequence[Path]],
    labels: Optional[Sequence[str]] = None,
    component: str = "ner",
    gpu: bool = False,
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
    RETURNS (Config): The config, filled.
    RAISES (ValueError): If the base has no such component.
    """
    nlp = spacy.load(base)
    check_recogniser(nlp, component, f"base {base!r}")
    rehearse = pool is not None
    names = ["rehearsal"] * rehearse + nlp.component_names
    return Config(
        {
            "paths": _paths(base, train, dev, pool),
            "system": {"seed": 0, "gpu_allocator": "pytorch" if gpu else None},
            "nlp": _nlp_section(nlp, names),
            "components": _components(nlp, component, rehearse),
            "corpora": {"train": _corpus("train"), "dev": _corpus("dev")},
            "training": _training(nlp, component, measure_gold(train), rehearse),
            "initialize": _initialize(nlp, labels, pool),
        }
    )


def _paths(base, train, dev, pool) -> Dict[str, object]:
    paths: Dict[str, object] = {"base": base, "train": str(train), "dev": str(dev)}
    if pool is not None:
        files = [str(path) for path in pool]
        paths["pool"] = files[0] if len(files) == 1 else files
    return paths


def _nlp_section(nlp: Language, names: List[str]) -> Dict[str, object]:
    section = nlp.config["nlp"]
    return {
        "lang": nlp.lang,
        "pipeline": names,
        "disabled": list(nlp.disabled),
        "batch_size": section["batch_size"],
        "tokenizer": section["tokenizer"],
    }


def _components(nlp: Language, component: str, rehearse: bool) -> Dict[str, object]:
    components: Dict[str, object] = {}
    if rehearse:
        components["rehearsal"] = {
            "factory": "rehearsal",
            "component": component,
            "ratio": RATIO,
        }
    for name in nlp.component_names:
        components[name] = {"source": "${paths.base}"}
        if name == component and upstream_of(nlp, component):
            components[name]["replace_listeners"] = listener_paths(nlp, component)
    return components


def listener_paths(nlp: Language, component: str) -> List[str]:
    """Find where in a component's model config it listens to shared embeddings.

    nlp (Language): The pipeline.
    component (str): The name of the pipe.
    RETURNS (List[str]): Dotted paths, as `replace_listeners` takes them.
    """
    found: List[str] = []

    def walk(section: dict, path: str) -> None:
        if "Listener" in str(section.get("@architectures", "")):
            found.append(path)
        for key, value in section.items():
            if isinstance(value, dict):
                walk(value, f"{path}.{key}")

    walk(nlp.get_pipe_config(component)["model"], "model")
    return found


def _corpus(name: str) -> Dict[str, object]:
    return {
        "@readers": "spacy.Corpus.v1",
        "path": f"${{paths.{name}}}",
        "gold_preproc": False,
        "max_length": 0,
        "limit": 0,
        "augmenter": None,
    }


def training_length(n_words: int) -> Dict[str, int]:
    """Choose how long to train, by the size of the gold.

    n_words (int): Number of tokens of the gold.
    RETURNS (Dict[str, int]): max_steps, eval_frequency and patience, in updates.
    """
    steps = EPOCHS * math.ceil(n_words / GOLD_WORDS)
    steps = min(max(steps, FEWEST_STEPS), MOST_STEPS)
    frequency = max(25, round(steps / EVALUATIONS / 25) * 25)
    steps = frequency * math.ceil(steps / frequency)
    return {
        "max_steps": steps,
        "eval_frequency": frequency,
        "patience": frequency * math.ceil(PATIENCE * steps / frequency),
    }


def _training(
    nlp: Language, component: str, gold: GoldSize, rehearse: bool
) -> Dict[str, object]:
    length = training_length(gold.n_words)
    others = [name for name in nlp.component_names if name != component]
    weights: Dict[str, Optional[float]] = {}
    for name in others:
        for key in nlp.get_pipe_meta(name).default_score_weights:
            weights[key] = 0.0
    if rehearse:
        weights = {"rehearsal_score": 1.0, **_shown_scores(), **weights}
    target = nlp.get_pipe_meta(component).default_score_weights
    for key, weight in target.items():
        weights[key] = None if weight is None else 0.0 if rehearse else weight
    return {
        "seed": "${system.seed}",
        "gpu_allocator": "${system.gpu_allocator}",
        "train_corpus": "corpora.train",
        "dev_corpus": "corpora.dev",
        "dropout": 0.0,
        "accumulate_gradient": 1,
        "max_epochs": 0,
        **length,
        "frozen_components": others,
        "annotating_components": [],
        "before_update": None,
        "batcher": {
            "@batchers": "spacy.batch_by_words.v1",
            "size": GOLD_WORDS,
            "tolerance": 0.2,
            "discard_oversize": False,
            "get_length": None,
        },
        "optimizer": _optimizer(nlp, component, length["max_steps"]),
        "score_weights": weights,
        "logger": {"@loggers": "spacy.ConsoleLogger.v1", "progress_bar": False},
        "before_to_disk": (
            {"@callbacks": "spacy-rehearse.export.v1"} if rehearse else None
        ),
    }


def _shown_scores() -> Dict[str, Optional[float]]:
    return {
        "rehearsal_new_f": 0.0,
        "rehearsal_retention": 0.0,
        "rehearsal_flood": 0.0,
        "rehearsal_old_f": None,
        "rehearsal_bwt": None,
    }


def _optimizer(nlp: Language, component: str, max_steps: int) -> Dict[str, object]:
    upstream = [nlp.get_pipe_meta(name) for name in upstream_of(nlp, component)]
    transformer = any("transformer" in meta.factory for meta in upstream)
    return {
        "@optimizers": "Adam.v1",
        "beta1": 0.9,
        "beta2": 0.999,
        "L2_is_weight_decay": True,
        "L2": 0.01,
        "grad_clip": 1.0,
        "use_averages": True,
        "eps": 1e-8,
        "learn_rate": {
            "@schedules": "warmup_linear.v1",
            "warmup_steps": 50,
            "total_steps": max_steps,
            "initial_rate": 5e-5 if transformer else LEARN_RATE,
        },
    }


def _initialize(
    nlp: Language, labels: Optional[Sequence[str]], pool: Optional[Sequence[Path]]
) -> Dict[str, object]:
    section: Dict[str, object] = {
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
                "heldout": 0.1,
                "cache": ".rehearsal_cache",
                "pool": {
                    "@readers": "spacy-rehearse.RawText.v1",
                    "path": "${paths.pool}",
                    "min_length": 20,
                    "max_length": 2000,
                    "limit": 0,
                    "seed": None,
                    "skip_invalid": False,
                },
            }
        }
    return section


def with_comments(config: Config, *, config_path: str, gold: GoldSize) -> str:
    """Write a config as text, with a comment where a reader would ask.

    config (Config): The config.
    config_path (str): Where it will be saved.
    gold (GoldSize): The size of the gold.
    RETURNS (str): The text.
    """
    passes = round(config["training"]["max_steps"] * GOLD_WORDS / gold.n_words)
    lines: List[str] = []
    for line in config.to_str(interpolate=False).splitlines():
        for start, comments in COMMENTS.items():
            if line.startswith(start):
                lines += [
                    "# " + c.format(config=config_path, passes=passes, n=gold.n_docs)
                    for c in comments
                ]
        lines.append(line)
    return "\n".join(lines) + "\n"
