"""Alerts that watch a release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from curriculum.labs import judge
from curriculum.labs.lab import Lab
from curriculum.labs.prometheus_play import Moment, Situation, firing
from curriculum.outcome import Finding


@judge("capstone-release-alerts")
def release_alerts(lab: Lab) -> Iterator[Finding]:
    from curriculum.labs.prometheus import Play, actionable, read_rules

    rules = read_rules(lab, "release.yml")
    play = Play(lab, lab.text("release.yml"), lab.backend("prometheus"))
    story = _Release(lab)
    yield actionable(lab, rules, ("page", "ticket"))
    if not lab.live:  # Hours take too long to be played while someone waits for the cell.
        return
    found = {finding.criterion: finding for finding in play.judged(story.criteria())}
    deaf = found["worse"].fault == "deaf"
    # What never fires can neither name a version nor be asked for its least number of requests, nor be broken.
    yield from (finding for name, finding in found.items() if not deaf or name not in {"named", "few"})
    if not deaf:
        yield from bite(lab, "release.yml", "release_test.yml", {"ReleaseWorse"})


def bite(lab: Lab, rules: str, tests: str, alerts: set[str]) -> Iterator[Finding]:
    """The criterion `tests-bite`: the tests notice when these alerts never fire, always fire, or no longer wait."""
    from curriculum.labs.prometheus import Change, always_fires, never_fires, tests_bite

    if prometheus := lab.backend("prometheus"):
        broken: dict[str, dict[str, Change]] = {
            "never": {"expr": never_fires},
            "always": {"expr": always_fires},
            "no-wait": {"for": lambda wait: None},
        }
        yield tests_bite(lab, prometheus, rules, tests, broken, dict.fromkeys(broken, alerts))


class _Release:
    """Situations of a release: version 4 is stable, version 6 the canary."""

    def __init__(self, lab: Lab) -> None:
        self.job = lab.value("delivery-time")
        self.percent = lab.number("percent")
        self.hours = int(lab.number("hours"))

    def series(self, name: str, instance: str, outcome: str = "") -> str:
        track, model = ("canary", "6") if instance.startswith("c") else ("stable", "4")
        more = f', outcome="{outcome}"' if outcome else ""
        return f'{name}{{job="{self.job}", instance="{instance}", track="{track}", model="{model}"{more}}}'

    def served(self, instance: str, ok: str, error: str = "") -> dict[str, str]:
        found = {self.series("up", instance): "1x400", self.series("predictions_total", instance, "ok"): ok}
        if error:
            found[self.series("predictions_total", instance, "error")] = error
        return found

    def steady(self, instance: str, a_minute: int, percent: float) -> dict[str, str]:
        """A share of failures, the same from the beginning; in tenths of a percent, so that counters stay whole."""
        failed = round(a_minute * percent / 100)
        return self.served(instance, f"0+{a_minute - failed}x400", f"0+{failed}x400")

    @property
    def stable(self) -> dict[str, str]:
        """Two instances that fail once in a hundred, one of them much busier than the other."""
        return {**self.steady("s1", 1000, 1), **self.steady("s2", 200, 1)}

    def criteria(self) -> dict[str, Mapping[str, Situation]]:
        """Situations, by the criterion that they are about."""
        return {
            "worse": self.worse(),
            "both-suffer": self.both_suffer(),
            "few": self.few(),
            "silent": self.silent(),
            "stuck": self.stuck(),
            "named": self.named(),
        }

    def worse(self) -> Mapping[str, Situation]:
        fires, shows = firing(alertname="ReleaseWorse"), 'ALERTS{alertname="ReleaseWorse"}'
        above, below = self.steady("c1", 1000, self.percent + 3), self.steady("c1", 1000, self.percent)
        sudden = self.served("c1", "0+100x20 2050+50x400", "0x20 50+50x400")
        gone = {
            self.series("up", "c1"): "1x39 stale",
            self.series("predictions_total", "c1", "ok"): "0+50x39 stale",
            self.series("predictions_total", "c1", "error"): "0+50x39 stale",
        }
        return {
            "deaf": Situation({**self.stable, **above}, (Moment("25m", fires, shows=shows),)),
            "clean": Situation({**self.served("s1", "0+1000x400"), **above}, (Moment("25m", fires, shows=shows),)),
            "jumpy": Situation({**self.stable, **below}, (Moment("25m", fires, False),)),
            "hasty": Situation({**self.stable, **sudden}, (Moment("21m", fires, False), Moment("24m", fires, False))),
            "lingers": Situation({**self.stable, **gone}, (Moment("35m", fires), Moment("70m", fires, False))),
        }

    def both_suffer(self) -> Mapping[str, Situation]:
        both = {**self.steady("s1", 1000, 40), **self.steady("s2", 200, 40), **self.steady("c1", 100, 40)}
        moments = tuple(Moment(at, firing(alertname="ReleaseWorse"), False) for at in ("15m", "30m"))
        return {"absolute": Situation(both, moments)}

    def few(self) -> Mapping[str, Situation]:
        fires = firing(alertname="ReleaseWorse")
        rare, enough = self.served("c1", "0+0.5x400", "0+0.5x400"), self.served("c1", "0+3x400", "0+3x400")
        return {
            "single": Situation({**self.stable, **rare}, (Moment("20m", fires, False), Moment("30m", fires, False))),
            "too-many": Situation({**self.stable, **enough}, (Moment("30m", fires),)),
        }

    def silent(self) -> Mapping[str, Situation]:
        fires, stays = firing(alertname="ReleaseSilent"), False
        up = {self.series("up", "c1"): "1x400"}
        idle = {**self.served("s1", "500x400"), **self.served("s2", "90x400")}
        still = self.served("c1", "7x400", "0x400")
        return {
            "no-series": Situation({**self.stable, **up}, (Moment("30m", fires),)),
            "still": Situation({**self.stable, **still}, (Moment("30m", fires),)),
            "quiet-night": Situation({**idle, **up}, (Moment("30m", fires, stays),)),
            "served": Situation({**self.stable, **self.steady("c1", 10, 0)}, (Moment("30m", fires, stays),)),
            "no-canary": Situation(self.stable, (Moment("30m", fires, stays),)),
        }

    def stuck(self) -> Mapping[str, Situation]:
        fires, both = firing(alertname="ReleaseStuck"), {**self.stable, **self.steady("c1", 10, 0)}
        early = f"{self.hours * 60 - 10}m"
        return {
            "never": Situation(both, (Moment(f"{self.hours * 60 + 15}m", fires),)),
            "early": Situation(both, (Moment(early, fires, False),)),
            "alone": Situation(self.stable, (Moment(f"{self.hours * 60 + 15}m", fires, False),)),
        }

    def named(self) -> Mapping[str, Situation]:
        bad = {**self.stable, **self.steady("c1", 1000, self.percent + 20)}
        asked = Moment("25m", firing(alertname="ReleaseWorse", model="6"), shows='ALERTS{alertname="ReleaseWorse"}')
        return {"no-label": Situation(bad, (asked,))}
