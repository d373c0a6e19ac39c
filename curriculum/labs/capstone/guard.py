"""Alerts that would have rung on the night: played over its record, and over nights that are made up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from curriculum.labs import judge
from curriculum.labs.capstone.alerts import bite
from curriculum.labs.capstone.evidence import Evidence, read_evidence
from curriculum.labs.lab import Lab
from curriculum.labs.prometheus_play import Moment, Situation, firing
from curriculum.outcome import Finding

#: `ModelWrong` has to fire this many minutes after the first wrong answer at the latest: at 02:55 of that night.
IN_TIME = 62


@judge("capstone-night-guard")
def guard(lab: Lab) -> Iterator[Finding]:
    from curriculum.labs.prometheus import Play, actionable, read_rules

    rules = read_rules(lab, "guard.yml")
    play = Play(lab, lab.text("guard.yml"), lab.backend("prometheus"))
    evidence = read_evidence(lab)
    complete = actionable(lab, rules, ("page", "ticket"))
    if not lab.live:  # Hours take too long to be played while someone waits for the cell.
        if complete.result == "not-met":
            yield complete
        return
    nights = _Nights(lab)
    found = {finding.criterion: finding for finding in play.judged(nights.criteria(evidence))}
    named = found.pop("named", None)
    deaf = found["limit"].fault == "deaf"
    # What never fires can neither name a version nor be too late, nor be broken.
    yield from (finding for name, finding in found.items() if not deaf or name not in {"few", "ends", "night"})
    if complete.result == "met" and named and named.result == "not-met" and not deaf:
        complete = lab.found("actionable", False, found=named.found, fault="no-model")
    yield complete
    if not deaf:
        yield from bite(lab, "guard.yml", "guard_test.yml", {"ModelWrong"})


def recorded(evidence: Evidence, job: str) -> tuple[dict[str, str], int]:
    """The record of the night with the label `model`, in promtool's notation, and the minute with which it begins."""
    start = min(min(rows) for rows in evidence.metrics.values())
    minutes = range(start, evidence.end + 1)
    series: dict[str, str] = {}
    truths: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)
    for (metric, name), rows in evidence.metrics.items():
        model = evidence.pods[name].model
        if metric == "predictions_total":
            values = [f"{rows[minute]:g}" if minute in rows else "_" for minute in minutes]
            last = max(rows) - start
            if last + 1 < len(values):
                values[last + 1] = "stale"
            series[f'predictions_total{{job="{job}", pod="{name}", model="{model}"}}'] = " ".join(values)
        else:
            known = truths[metric, model]
            seen = 0.0
            for minute in minutes:
                seen = rows.get(minute, seen)
                known[minute] = known.get(minute, 0.0) + seen
    for (metric, model), known in truths.items():
        began = min(minute for minute, value in known.items() if value)
        values = [f"{known[minute]:g}" if minute >= began else "_" for minute in minutes]
        series[f'{metric}{{job="feedback", model="{model}"}}'] = " ".join(values)
    return series, start


class _Nights:
    """Situations, by the criterion that they are about."""

    def __init__(self, lab: Lab) -> None:
        self.job = lab.value("delivery-time")
        self.limit = lab.number("limit")
        self.mixed = int(lab.number("mixed"))

    def answers(self, model: str, values: str, pod: str = "a") -> dict[str, str]:
        return {f'predictions_total{{job="{self.job}", pod="{pod}{model}", model="{model}"}}': values}

    def truths(self, model: str, counts: str, sums: str) -> dict[str, str]:
        kinds = (("count", counts), ("sum", sums))
        return {f'prediction_error_{kind}{{job="feedback", model="{model}"}}': values for kind, values in kinds}

    def steady(self, model: str, a_minute: float, error: float) -> dict[str, str]:
        """A version whose answers are judged at an even pace, with this mean error."""
        return self.truths(model, f"0+{a_minute:g}x300", f"0+{a_minute * error:g}x300")

    @property
    def usual(self) -> dict[str, str]:
        return {**self.answers("6", "0+20x300"), **self.steady("6", 20, 3.4)}

    def criteria(self, evidence: Evidence) -> dict[str, Mapping[str, Situation]]:
        return {
            "night": self.night(evidence),
            "limit": self.around_limit(),
            "few": self.few(),
            "ends": self.ends(),
            "truth-missing": self.truth_missing(),
            "mixed-models": self.mixed_models(),
            "named": self.named(),
        }

    def night(self, evidence: Evidence) -> Mapping[str, Situation]:
        series, start = recorded(evidence, self.job)
        end, by = evidence.end - start, evidence.first_wrong + IN_TIME - start
        fires, shows = firing(alertname="ModelWrong"), 'ALERTS{alertname="ModelWrong"}'
        innocent = firing(alertname="ModelWrong", model=evidence.last_good)
        never = tuple(Moment(f"{minute}m", innocent, False) for minute in range(25, end, 10))
        return {
            "deaf": Situation(series, (Moment(f"{end}m", fires, shows=shows),)),
            "late": Situation(series, (Moment(f"{by}m", fires, shows=shows),)),
            "innocent": Situation(series, never),
        }

    def around_limit(self) -> Mapping[str, Situation]:
        fires, shows = firing(alertname="ModelWrong"), 'ALERTS{alertname="ModelWrong"}'
        above, below = self.steady("8", 4, self.limit + 1), self.steady("8", 4, self.limit - 0.5)
        sudden = self.truths("8", "0x40 4+4x200", "0x40 160+160x200")
        return {
            "deaf": Situation({**self.usual, **above}, (Moment("45m", fires, shows=shows),)),
            "jumpy": Situation({**self.usual, **below}, (Moment("45m", fires, False),)),
            "hasty": Situation({**self.usual, **sudden}, (Moment("42m", fires, False), Moment("45m", fires, False))),
        }

    def few(self) -> Mapping[str, Situation]:
        fires = firing(alertname="ModelWrong")
        rare = self.truths("8", "0 0 0 1 1 1 2 2 2 3 3 3 4 4 4 5 5 5 6 6 6 7 7 7 8 8 8 9 9 9", _steps(30, 3, 40))
        return {
            "single": Situation({**self.usual, **rare}, (Moment("20m", fires, False), Moment("27m", fires, False))),
            "too-many": Situation({**self.usual, **self.steady("8", 2, self.limit + 20)}, (Moment("45m", fires),)),
        }

    def ends(self) -> Mapping[str, Situation]:
        fires = firing(alertname="ModelWrong")
        over = self.truths("8", "0+4x60 240x200", f"0+{4 * (self.limit + 9):g}x60 {240 * (self.limit + 9):g}x200")
        return {"lingers": Situation({**self.usual, **over}, (Moment("55m", fires), Moment("91m", fires, False)))}

    def truth_missing(self) -> Mapping[str, Situation]:
        fires = firing(alertname="TruthMissing")
        going = self.answers("6", "0+20x300")
        still = self.truths("6", "0+20x60 1200x200", "0+68x60 4080x200")
        idle = {**self.answers("6", "700x300"), **self.truths("6", "600x300", "2000x300")}
        gone = self.truths("6", "0+20x60 stale", "0+68x60 stale")
        return {
            "still": Situation({**going, **still}, (Moment("110m", fires),)),
            "no-series": Situation({**going, **gone}, (Moment("110m", fires),)),
            "idle": Situation(idle, (Moment("60m", fires, False), Moment("110m", fires, False))),
            "fine": Situation(self.usual, (Moment("60m", fires, False), Moment("110m", fires, False))),
        }

    def mixed_models(self) -> Mapping[str, Situation]:
        fires = firing(alertname="MixedModels")
        later = self.answers("8", "_x30 0+9x250")
        pods = {**self.answers("6", "0+5x300", "b"), **self.answers("6", "0+7x300", "c")}
        stopped = self.answers("8", f"0+9x{self.mixed + 40} {9 * (self.mixed + 40)}x200")
        return {
            "never": Situation({**self.usual, **later}, (Moment(f"{30 + self.mixed + 12}m", fires),)),
            "early": Situation({**self.usual, **later}, (Moment(f"{30 + self.mixed - 4}m", fires, False),)),
            "pods": Situation({**self.usual, **pods}, (Moment(f"{self.mixed + 40}m", fires, False),)),
            "past": Situation({**self.usual, **stopped}, (Moment(f"{self.mixed + 75}m", fires, False),)),
        }

    def named(self) -> Mapping[str, Situation]:
        bad = {**self.usual, **self.steady("8", 4, self.limit + 9)}
        asked = Moment("45m", firing(alertname="ModelWrong", model="8"), shows='ALERTS{alertname="ModelWrong"}')
        return {"no-model": Situation(bad, (asked,))}


def _steps(minutes: int, every: int, size: int) -> str:
    """A counter that grows by `size` every so many minutes."""
    return " ".join(str(minute // every * size) for minute in range(minutes))
