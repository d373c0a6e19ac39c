"""The small languages inside manifests: quantities, label selectors, numbers that may be percentages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:([numkMGTPE]|[KMGTPE]i)|[eE]([+-]?\d{1,3}))?")
_SUFFIX = {
    **{
        letter: Fraction(10) ** power
        for letter, power in zip("numkMGTPE", (-9, -6, -3, 3, 6, 9, 12, 15, 18), strict=True)
    },
    **{f"{letter}i": Fraction(1024) ** power for power, letter in enumerate("KMGTPE", start=1)},
}
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?")


def quantity(value: object) -> Fraction | None:
    """The number that a quantity (`100m`, `64Mi`, `1.5`) stands for, or None when it is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    # Nobody writes more digits; Python refuses to read very many of them.
    match = _QUANTITY.fullmatch(text) if len(text) <= 60 else None
    if match is None:
        return None
    number, suffix, exponent = match.groups()
    power = Fraction(10) ** int(exponent) if exponent else Fraction(1)
    return Fraction(number) * _SUFFIX.get(suffix, Fraction(1)) * power


def scaled(value: object, total: int, *, up: bool) -> int | None:
    """A number, or that many percent of `total`, rounded up or down; None when it is neither."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{1,6}%", value):
        share = int(value[:-1]) * total
        return -(-share // 100) if up else share // 100
    return None


def labels_of(value: object) -> dict[str, str]:
    """A map of labels as it stands, or an empty one."""
    return {str(key): str(entry) for key, entry in value.items()} if isinstance(value, dict) else {}


def is_label_key(text: str) -> bool:
    """Whether a text can be the key of a label or annotation: `app`, `example.com/team`."""
    prefix, slash, name = text.rpartition("/")
    return (not slash or is_subdomain(prefix)) and 0 < len(name) <= 63 and bool(_LABEL_VALUE.fullmatch(name))


def is_label_value(text: str) -> bool:
    return len(text) <= 63 and bool(_LABEL_VALUE.fullmatch(text))


def is_dns_label(text: str) -> bool:
    """A name as Services and Namespaces have it: lower case letters, digits and dashes, at most 63."""
    return len(text) <= 63 and bool(_DNS_LABEL.fullmatch(text))


def is_subdomain(text: str) -> bool:
    """A name as most objects have it: DNS labels joined by dots, at most 253 characters."""
    return len(text) <= 253 and all(_DNS_LABEL.fullmatch(part) for part in text.split("."))


@dataclass(frozen=True)
class Selector:
    """A label selector. `None` in the manifest selects nothing, an empty one selects everything."""

    match_labels: Mapping[str, str]
    expressions: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    missing: bool = False

    @classmethod
    def of(cls, value: object) -> Selector:
        """A selector with `matchLabels` and `matchExpressions`."""
        if not isinstance(value, dict):
            return cls({}, missing=True)
        found = []
        listed = value.get("matchExpressions")
        for entry in listed if isinstance(listed, list) else ():
            if isinstance(entry, dict):
                values = entry.get("values") or []
                texts = tuple(str(one) for one in values) if isinstance(values, list) else ()
                found.append((str(entry.get("key", "")), str(entry.get("operator", "")), texts))
        return cls(labels_of(value.get("matchLabels")), tuple(found))

    @classmethod
    def of_labels(cls, value: object) -> Selector:
        """A Service's selector, a plain map; an empty one selects nothing."""
        labels = labels_of(value)
        return cls(labels, missing=not labels)

    @property
    def empty(self) -> bool:
        return not self.match_labels and not self.expressions

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether something with these labels is selected."""
        if self.missing:
            return False
        return all(labels.get(key) == value for key, value in self.match_labels.items()) and all(
            _holds(key, operator, values, labels) for key, operator, values in self.expressions
        )

    def __str__(self) -> str:
        parts = [f"{key}={value}" for key, value in self.match_labels.items()]
        for key, operator, values in self.expressions:
            parts.append(f"{key} {operator}" + (f" ({', '.join(values)})" if values else ""))
        return ", ".join(parts)


def _holds(key: str, operator: str, values: tuple[str, ...], labels: Mapping[str, str]) -> bool:
    match operator:
        case "In":
            return key in labels and labels[key] in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


def written(labels: Mapping[str, Any]) -> str:
    """Labels as kubectl shows them: `app=web,tier=front`."""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
