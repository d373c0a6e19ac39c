"""Every sentence a person reads from the program, by key and language.

The YAML files beside this module hold them: `<lang>.yaml`, and `<topic>.<lang>.yaml` for a topic of its own. A new
language is new files with the same keys.
"""

from __future__ import annotations

import functools
import re
from importlib import resources
from pathlib import PurePath

#: The languages that the program itself speaks, in the order in which it offers them.
LANGUAGES = ("ja", "en")
#: Topics with files of their own.
TOPICS = ("study", "doctor", "cohort")


_WIDE = "\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef"
#: Japanese puts a blank beside Latin letters only; what fills a sentence may be either.
_BETWEEN = re.compile(f"(?<=[{_WIDE}]) (?=[{_WIDE}])")
#: Stands for a blank that stays, in nobody's text.
_KEPT = "\ue000"


@functools.cache
def _table(lang: str, topic: str) -> dict[str, str]:
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    name = f"{topic}.{lang}.yaml" if topic else f"{lang}.yaml"
    table = yaml.load(resources.files(__package__).joinpath(name).read_text(encoding="utf-8"), Loader=loader)
    # A folded sentence is one line, however it stands in the file.
    return {key: " ".join(text.split()) if text.endswith("\n") else text for key, text in table.items()}


def _sentence(lang: str, key: str) -> str:
    """The sentence as it is written. A topic's file is read when a key is in none before it."""
    for topic in ("", *TOPICS):
        if key in (table := _table(lang, topic)):
            return table[key]
    raise KeyError(key)


def sentences(lang: str) -> dict[str, str]:
    """Every sentence of a language by its key, its placeholders open."""
    return {key: sentence for topic in ("", *TOPICS) for key, sentence in _table(lang, topic).items()}


def keys(lang: str) -> frozenset[str]:
    """The keys that `lang` has a sentence for."""
    return frozenset(sentences(lang))


def say(lang: str, key: str, /, **params: object) -> str:
    """Return the sentence `key` in `lang`, its `{placeholders}` filled from `params`.

    Lists are joined with the language's comma. Raises KeyError for an unknown key or a missing placeholder: both are
    faults of ours, which the tests find.
    """
    lang = lang if lang in LANGUAGES else "en"
    sentence, comma = _sentence(lang, key), _sentence(lang, "list.comma")
    filled = {
        name: comma.join(map(str, value)) if isinstance(value, list | tuple | set | frozenset) else value
        for name, value in params.items()
    }
    if lang != "ja":
        return sentence.format(**filled)
    # What fills a sentence keeps its own blanks: it may be a path or a name.
    kept = {name: str(v).replace(" ", _KEPT) if isinstance(v, str | PurePath) else v for name, v in filled.items()}
    return _BETWEEN.sub("", sentence.format(**kept)).replace(_KEPT, " ")
