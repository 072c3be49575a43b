__title__ = "spacy-rehearse"
__version__ = "0.1.0"
