"""A demonstration corpus: news, and gadgets that its pipeline never heard of.

Sentences and word lists lie in data/*.txt -> lists.py reads them -> grammar.py
fills the slots of a sentence with composed names -> corpus.py plans the files,
makes Docs and writes them -> `python -m spacy_rehearse.demo OUT_DIR`.
"""
