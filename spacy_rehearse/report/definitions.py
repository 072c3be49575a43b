"""What the figures mean: the words of the reports."""

DEFINITIONS = {
    "new F": "F-score of the labels that were learnt, on annotated text.",
    "old F": "F-score of the labels that were there before, on annotated text.",
    "all F": "F-score over all labels that the annotated text marks.",
    "retention": "F-score against the base's own predictions on raw text, on its "
    "labels: 100 if both always agree. On the pool of the training, most of which was "
    "learnt, it is a little too high.",
    "flood per 1,000 words": "How many entities of new labels are found in 1,000 "
    "words of raw text. A flood is a label that is seen everywhere.",
    "BWT": "Backward transfer: F of the old labels after the training minus before "
    "(Lopez-Paz and Ranzato 2017). Negative is forgetting.",
    "forgetting": "How far F of the old labels fell from its best (Chaudhry et al. "
    "2018).",
    "CPU s": "Seconds of processor time, without labelling the pool and training "
    "experts.",
}
