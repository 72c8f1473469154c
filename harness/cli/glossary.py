"""Words of the tables that are no keys of an experiment: columns and verdicts."""

from __future__ import annotations

from collections.abc import Mapping

from ..numeric.words import WORDS
from ..tables.columns import COLUMNS
from ..tables.ranking import VERDICTS

#: kind -> word -> what it means
TERMS: Mapping[str, Mapping[str, str]] = {
    "a column of the tables of costs": COLUMNS,
    "a verdict on two arms' times": VERDICTS,
    "a verdict on a tensor": WORDS,
}


def meanings(topic: str) -> list[tuple[str, str]]:
    """What a word is, and what it means; several where it stands for several things."""
    word = topic.replace("-", " ")
    names = {word, word.replace(" ", "_"), word.replace("_", " ")}
    return [(kind, text) for kind, terms in TERMS.items() for name, text in terms.items() if name in names]
