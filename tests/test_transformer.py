"""A shared transformer: a small one, trained from nothing, from
spacy-curated-transformers (with NumPy below 2.4, which its version 0.3 needs).
"""

import pytest
import spacy

from .test_component import initialized, loop
from .util import FILLERS, LABELS, entities_f, train_base

pytest.importorskip("spacy_curated_transformers", reason="no curated transformers")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

TRANSFORMER = """
[nlp]
lang = "en"
pipeline = ["transformer","ner"]
[components]
[components.transformer]
factory = "curated_transformer"
all_layer_outputs = false
[components.transformer.model]
@architectures = "spacy-curated-transformers.BertTransformer.v1"
vocab_size = 300
hidden_width = 32
num_attention_heads = 2
num_hidden_layers = 1
intermediate_width = 64
piece_encoder = {"@architectures":"spacy-curated-transformers.BertWordpieceEncoder.v1"}
[components.transformer.model.with_spans]
@architectures = "spacy-curated-transformers.WithStridedSpans.v1"
[components.ner]
factory = "ner"
[components.ner.model]
@architectures = "spacy.TransitionBasedParser.v2"
state_type = "ner"
extra_state_tokens = false
hidden_width = 32
maxout_pieces = 2
use_upper = true
[components.ner.model.tok2vec]
@architectures = "spacy-curated-transformers.LastTransformerLayerListener.v1"
width = 32
pooling = {"@layers":"reduce_mean.v1"}
upstream = "transformer"
grad_factor = 1.0
[initialize]
[initialize.components]
[initialize.components.transformer]
[initialize.components.transformer.piecer_loader]
@model_loaders = "spacy-curated-transformers.WordpieceLoader.v1"
path = "PIECES"
"""


@pytest.fixture(scope="module")
def transformer_base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transformer")
    known = {
        w for cues, names in LABELS.values() for x in (*cues, *names) for w in x.split()
    }
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", *sorted(known | set(FILLERS))]
    (folder / "pieces.txt").write_text("\n".join(pieces))
    config = TRANSFORMER.replace("PIECES", str(folder / "pieces.txt"))
    return train_base(config, folder / "base", n_updates=200)


def test_transformer_learns_a_label_and_keeps_the_others(transformer_base, corpus):
    before = entities_f(spacy.load(transformer_base), ("PERSON", "ORG"))
    assert before > 0.8
    nlp, examples = initialized(transformer_base, corpus)
    session = nlp.get_pipe("rehearsal").session
    assert session.soft and not session.movable and session.upstream == ["transformer"]
    loop(nlp, examples, n_updates=60)
    nlp.remove_pipe("rehearsal")
    assert entities_f(nlp, ("GADGET",)) > 0.5
    assert entities_f(nlp, ("PERSON", "ORG")) > before - 0.05
