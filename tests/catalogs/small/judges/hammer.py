"""The small catalogue's judges: what a content pack brings for exercises of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

from curriculum.labs import judge
from curriculum.labs.lab import Lab
from curriculum.outcome import Finding


def _plan(lab: Lab) -> Iterator[Finding]:
    plan = (lab.yaml("plan.yaml") or [{}])[0]
    nails = plan.get("nails", plan.get("sides"))
    yield lab.found("counted", nails is not None, found=str(plan))
    if nails is not None:
        yield lab.found("whole", isinstance(nails, int), found=nails, expected=2)
        if isinstance(nails, int):
            yield lab.found("enough", nails >= 2, found=nails, expected=2, fault="one")
    yield lab.found("port", str(plan.get("port")) == lab.value("port"), expected=lab.value("port"))


judge("hammer-nail-first")(_plan)


@judge("hammer-box-first")
def box_first(lab: Lab) -> Iterator[Finding]:
    """As above, but whether it is enough tells only a running program, which works as long as its plan says."""
    if lab.live:
        time.sleep(float((lab.yaml("plan.yaml") or [{}])[0].get("seconds", 0)))
    for finding in _plan(lab):
        if finding.criterion != "enough" or lab.live:
            yield finding
