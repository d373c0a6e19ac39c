"""Judge alerts on an error budget, over hours and days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from curriculum.labs import judge
from curriculum.labs.lab import Lab
from curriculum.labs.prometheus.rules import Change, Play, actionable, always_fires, never_fires, read_rules, tests_bite
from curriculum.labs.prometheus.shared import read_mapping
from curriculum.labs.prometheus_play import Moment, Situation, firing
from curriculum.outcome import Finding

#: Predictions a minute in the situations of the check.
_TRAFFIC = 10_000


@judge("prometheus-slo-burn-rate")
def slo_burn_rate(lab: Lab) -> Iterator[Finding]:
    rules = read_rules(lab, "slo.yml")
    prometheus = lab.backend("prometheus")
    play = Play(lab, lab.text("slo.yml"), prometheus)
    budget = 1 - lab.number("objective") / 100
    page, ticket = firing(severity="page"), firing(severity="ticket")
    pages, tickets = 'ALERTS{severity="page"}', 'ALERTS{severity="ticket"}'

    def share(*parts: tuple[int, float], every: int = 1) -> dict[str, str]:
        """Predictions of which a share fails for so many minutes, then another share; a sample `every` few minutes."""
        place = f'job="{lab.value("delivery-time")}", instance="a"'
        ok, failed, good, bad = [], [], 0, 0
        for minutes, part in parts:
            steps, fails = minutes // every, round(_TRAFFIC * every * part)
            succeeds = _TRAFFIC * every - fails
            ok.append(f"{good}+{succeeds}x{steps - 1}")
            failed.append(f"{bad}+{fails}x{steps - 1}")
            good, bad = good + succeeds * steps, bad + fails * steps
        return {
            f'predictions_total{{{place}, outcome="ok"}}': " ".join(ok),
            f'predictions_total{{{place}, outcome="error"}}': " ".join(failed),
        }

    hour, day = 60, 1440
    outage = share((6 * hour, 0.0), (30, 0.5), (2 * hour, 0.0))
    blip = share((6 * hour, 0.0), (5, 0.1), (2 * hour, 0.0))
    leak = share((day, 0.0), (6 * hour, 8 * budget), every=2)
    fresh, later = share((2 * day, 2 * budget), every=2), share((2 * day, 0.0), (2 * day, 2 * budget), every=2)
    low = share((2 * day, 0.7 * budget), every=2)

    def long(series: Mapping[str, str], *moments: Moment) -> Situation:
        # Longer steps would be faster, and stale for rules that read what is recorded further below.
        return Situation(series, moments, interval="2m", step="4m")

    if prometheus:
        lab.tell("lab.plays-days")
    if lab.live:
        yield from play.judged(
            {
                "outage": {
                    "jumpy": Situation(outage, (Moment("1h", page, False), Moment("5h59m", page, False))),
                    "late": Situation(outage, (Moment("6h15m", page, shows=pages),)),
                },
                "slow-page": {"late": long(leak, Moment("30h", page, shows=pages))},
                "ticket": {
                    "deaf": long(fresh, Moment("2d", ticket, shows=tickets)),
                    "pages": long(fresh, *(Moment(at, page, False) for at in ("2h", "12h", "48h"))),
                    "below": long(low, *(Moment(at, firing(), False) for at in ("2h", "12h", "48h"))),
                    "forgets": long(later, Moment("4d", ticket, shows=tickets)),
                },
                "blip": {
                    "pages": Situation(blip, tuple(Moment(f"6h{minute}m", page, False) for minute in (3, 5, 8, 12, 30)))
                },
                "recovery": {"lasts": Situation(outage, (Moment("7h10m", page, False),))},
            }
        )
    yield actionable(lab, rules, ("page", "ticket"))
    read_mapping(lab, "slo_test.yml")
    if prometheus:
        paging = {str(rule["alert"]) for rule in rules if (rule.get("labels") or {}).get("severity") == "page"}
        broken: dict[str, dict[str, Change]] = {"never": {"expr": never_fires}, "always": {"expr": always_fires}}
        alerts = {"never": {str(rule["alert"]) for rule in rules if "alert" in rule}, "always": paging}
        yield tests_bite(lab, prometheus, "slo.yml", "slo_test.yml", broken, alerts)
