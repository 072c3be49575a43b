"""The config of a model with a column: layers of spaCy and Thinc, nothing else."""

import copy
from typing import Any, Dict, Mapping, Optional, Tuple

# What words are embedded by, and rows of the table of each: more cost no time. All of
# it follows from ORTH, so that each word of a batch is embedded once. NORM does not: a
# token may have one of its own.
ROWS = {"LOWER": 5000, "PREFIX": 500, "SUFFIX": 2500, "SHAPE": 1000}
PIECES, PIECES_OF_WORDS = 2, 3
ENCODER = "spacy.MaxoutWindowEncoder.v2"
# Names of layers in the config of a column's token vectors.
INPUTS, COLUMN, BASE, WORDS, COPY = "inputs", "column", "base", "words", "copy"
EMBED, BOTH, ENCODE = "embed", "both", "encode"
# It does nothing, but a `noop` has to be given a layer.
SAME = {"@layers": "noop.v1", "*": {"unused": {"@layers": "list2array.v1"}}}

ConfigT = Mapping[str, Any]


def grown_config(
    config: ConfigT, *, width: int, depth: int, hidden: int
) -> Dict[str, Any]:
    """Describe a model with one more column.

    config (Mapping[str, Any]): The [components.NAME.model] block.
    width (int): Width of the column's token vectors, and of its embeddings of words.
    depth (int): Number of convolutional layers that make them.
    hidden (int): Number of new hidden units.
    RETURNS (Dict[str, Any]): The new block.
    """
    grown: Dict[str, Any] = copy.deepcopy(dict(config))
    window = _window(depth)
    encode = _encoder(width, window, PIECES, depth)
    new = _layers("chain.v1", mix=_mix(width, PIECES), encode=encode)
    # What is read goes on beside what is made of it.
    column = _side_by_side(window * depth, same=SAME, new=new)
    base, words = _with_embeddings(grown["tok2vec"]), _embedded_words(width)
    inputs = _layers("concatenate.v1", **{BASE: base, WORDS: words})
    grown["tok2vec"] = _layers("chain.v1", **{INPUTS: inputs, COLUMN: column})
    grown["hidden_width"] += hidden
    return grown


def _window(depth: int) -> int:
    """RETURNS (int): Words to each side that a layer sees. Two that see two words see
    as far as four of spaCy's, which see one.
    """
    return 3 if depth == 1 else 2


def copied_config(config: ConfigT, tok2vec: ConfigT, hidden: int) -> Dict[str, Any]:
    """Describe a model with a copy of its first network for one more column.

    config (Mapping[str, Any]): The [components.NAME.model] block.
    tok2vec (Mapping[str, Any]): The tok2vec that is copied: that of the first network,
        or the shared one that it listens to.
    hidden (int): Number of the first network's hidden units.
    RETURNS (Dict[str, Any]): The new block.
    """
    grown: Dict[str, Any] = copy.deepcopy(dict(config))
    beside = {BASE: grown["tok2vec"], COPY: copy.deepcopy(dict(tok2vec))}
    inputs = _layers("concatenate.v1", **beside)
    # Thinc would make one of this and of a concatenation around it, but for the chain.
    grown["tok2vec"] = _layers("chain.v1", **{INPUTS: inputs, COLUMN: SAME})
    grown["hidden_width"] += hidden
    return grown


def n_columns(config: ConfigT) -> int:
    """Count the columns of a model, one on top of the other.

    config (Mapping[str, Any]): The [components.NAME.model] block.
    RETURNS (int): The number.
    """
    tok2vec, n = config.get("tok2vec", {}), 0
    while {INPUTS, COLUMN} == set(tok2vec.get("*", ())):
        tok2vec, n = tok2vec["*"][INPUTS]["*"][BASE], n + 1
    return n


def first_tok2vec(config: ConfigT) -> ConfigT:
    """Find the tok2vec that was there before all columns.

    config (Mapping[str, Any]): The [components.NAME.model] block.
    RETURNS (Mapping[str, Any]): Its block, as if it did not hand its embeddings on.
    """
    if not hands_embeddings_on(config):
        return _below_columns(config)
    parts = _below_columns(config)["*"]
    return {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": parts[EMBED],
        "encode": parts[BOTH]["layer"]["*"][ENCODE],
    }


def hands_embeddings_on(config: ConfigT) -> bool:
    """RETURNS (bool): Whether the tok2vec that was there before all columns hands its
    embeddings to the first of them.
    """
    return {EMBED, BOTH} == set(_below_columns(config).get("*", ()))


def _below_columns(config: ConfigT) -> ConfigT:
    tok2vec = config["tok2vec"]
    for _ in range(n_columns(config)):
        tok2vec = tok2vec["*"][INPUTS]["*"][BASE]
    return tok2vec


def embed_and_encode(tok2vec: ConfigT) -> Optional[Tuple[ConfigT, ConfigT]]:
    """Take a tok2vec apart: what embeds words, and what makes token vectors of that.

    tok2vec (Mapping[str, Any]): The [components.NAME.model.tok2vec] block.
    RETURNS (Optional[Tuple[Mapping[str, Any], Mapping[str, Any]]]): Their blocks. None
        if it is none of spaCy's convolutional ones, but a shared one, say, or a column,
        which hands its base's embeddings on already.
    """
    name = tok2vec.get("@architectures")
    if name == "spacy.HashEmbedCNN.v2" and tok2vec["maxout_pieces"] > 1:
        return _parts_of_cnn(tok2vec)
    encode = tok2vec.get("encode", {})
    if name == "spacy.Tok2Vec.v2" and encode.get("@architectures") == ENCODER:
        return tok2vec["embed"], encode
    return None


def _parts_of_cnn(tok2vec: ConfigT) -> Tuple[ConfigT, ConfigT]:
    """RETURNS (Tuple[Mapping[str, Any], Mapping[str, Any]]): What spaCy's
    build_hash_embed_cnn_tok2vec is made of.
    """
    width, rows = tok2vec["width"], tok2vec["embed_size"]
    subwords = ["PREFIX", "SUFFIX", "SHAPE"] if tok2vec["subword_features"] else []
    embed = {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": width,
        "attrs": ["NORM", *subwords],
        "rows": [rows, *(rows // 2 for _ in subwords)],
        "include_static_vectors": bool(tok2vec["pretrained_vectors"]),
    }
    pieces, depth = tok2vec["maxout_pieces"], tok2vec["depth"]
    return embed, _encoder(width, tok2vec["window_size"], pieces, depth)


def _with_embeddings(tok2vec: ConfigT) -> ConfigT:
    """RETURNS (Mapping[str, Any]): A tok2vec that hands its embeddings on beside its
    token vectors, if they are within reach.
    """
    parts = embed_and_encode(tok2vec)
    if parts is None:
        return tok2vec
    embed, encode = parts
    pad = encode["window_size"] * encode["depth"]
    both = _side_by_side(pad, **{ENCODE: encode, "same": SAME})
    return _layers("chain.v1", **{EMBED: embed, BOTH: both})


def _embedded_words(width: int) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): spaCy's MultiHashEmbed, but that each word of a batch
    is embedded once.
    """
    tables = {
        attr.lower(): {
            "@layers": "HashEmbed.v1",
            "nO": width,
            "nV": rows,
            "column": column,
            "seed": column,
            "dropout": 0.0,
        }
        for column, (attr, rows) in enumerate(ROWS.items(), start=1)
    }
    embed = _layers("concatenate.v1", **tables)
    by_word = {
        "@layers": "uniqued.v1",
        "column": 0,
        "layer": _layers("chain.v1", embed=embed, mix=_mix(width, PIECES_OF_WORDS)),
    }
    return _layers(
        "chain.v1",
        features={"@layers": "spacy.FeatureExtractor.v1", "columns": ["ORTH", *ROWS]},
        flat={"@layers": "list2ragged.v1"},
        words={"@layers": "with_array.v1", "layer": by_word},
        by_text={"@layers": "ragged2list.v1"},
    )


def _encoder(width: int, window: int, pieces: int, depth: int) -> Dict[str, Any]:
    return {
        "@architectures": ENCODER,
        "width": width,
        "window_size": window,
        "maxout_pieces": pieces,
        "depth": depth,
    }


def _side_by_side(pad: int, **layers: ConfigT) -> Dict[str, Any]:
    """RETURNS (Dict[str, Any]): Layers that read the same array. `pad` rows of zeros
    keep texts apart. Lists would do, but thinc's concatenate can't hand their gradients
    back.
    """
    beside = _layers("concatenate.v1", **layers)
    return {"@layers": "with_array.v1", "layer": beside, "pad": pad}


def _mix(width: int, pieces: int) -> Dict[str, Any]:
    return {
        "@layers": "Maxout.v1",
        "nO": width,
        "nP": pieces,
        "normalize": True,
        "dropout": 0.0,
    }


def _layers(combinator: str, **layers: ConfigT) -> Dict[str, Any]:
    return {"@layers": combinator, "*": layers}
