"""Fine-tune spaCy NER without forgetting, inside plain `spacy train`.

Data flows one way, and each module is one step of it:

    pool      raw text files -> texts                              (pool.py)
    teacher   the frozen original pipeline labels texts            (teacher.py)
    silver    texts with the teacher's labels, cached in shards    (silver.py, cache.py)
    split     held-out texts, free of near-duplicates, set aside   (heldout.py)
    gold      mended, completed with the teacher's labels   (gold.py, completion.py)
    mentions  where silver must say nothing: the new concept   (mentions.py)
    interleave  silver drawn beside each gold batch                (interleave.py)
    train     both gradients in one step       (rehearse.py, distillation.py)
    score     new labels, retention, flood                         (scorer.py)
    export    an ordinary pipeline, without this plugin            (export.py)

component.py, corpus.py, callbacks.py, loggers.py and cli/ adapt these functions to
spaCy's registries and command line; nothing above imports them.
"""

from .about import __version__

__all__ = ["__version__"]
