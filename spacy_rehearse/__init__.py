"""Fine-tune spaCy NER without forgetting, inside plain `spacy train`.

Data flows one way, and each module is one step of it:

    pool        raw text files -> texts                            (pool.py)
    teacher     the frozen original pipeline labels texts          (teacher.py)
    silver      its labels, cached in shards
                                   (labelling.py, silver.py, stored.py, cache.py)
    heldout     texts set aside, free of near-duplicates           (heldout.py)
    gold        mended, completed with the teacher's labels    (gold.py, completion.py)
    mentions    where silver must say nothing: the new concept     (mentions.py)
    renaming    gold under made-up names                           (renaming.py)
    expert      finds the new labels in the silver
                               (expert.py, findings.py, overlap.py, trial.py)
    memory      annotation of earlier rounds, replayed (rounds.py, memory.py, replay.py)
    interleave  silver drawn beside each gold batch                (interleave.py)
    column      new weights for new labels
                               (column.py, margin.py, lead.py, averaging.py)
    train       both gradients in one step (examples.py, rehearse.py, distillation.py)
    score       new labels, retention, flood                       (scorer.py)
    export      an ordinary pipeline, without this plugin          (export.py)
    report      what was forgotten, and by which method
                                       (forgetting.py, compare.py, gate.py, report/)

prepare.py puts the steps before the training together: a session.py. component.py,
corpus.py, callbacks.py, loggers.py and cli/ adapt these functions to spaCy's registries
and command line; nothing above imports them.
"""

from .about import __version__

__all__ = ["__version__"]
