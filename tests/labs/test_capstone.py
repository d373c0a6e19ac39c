"""What the capstone's judges take as right is worked out from the evidence, and bears how people write."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from curriculum.catalog import catalog_at
from curriculum.labs.capstone import night, release, ship, undo
from curriculum.labs.capstone.evidence import Evidence, read_evidence
from curriculum.labs.capstone.guard import recorded
from curriculum.labs.capstone.shadow import Rule, log, steady
from curriculum.labs.lab import Lab

SERVICE = Path(__file__).resolve().parents[2] / "templates" / "service"
DAY = dt.datetime(2026, 11, 12, tzinfo=dt.UTC)
DAYS = int(DAY.timestamp()) // 86_400


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return read_evidence(Lab("capstone-night-find", SERVICE, {}))


def minute(hour: int, minute: int) -> int:
    return DAYS * 1440 + hour * 60 + minute


# --- the night ---


def test_the_evidence_convicts_the_model_and_acquits_the_image(evidence: Evidence) -> None:
    """No image separates right from wrong Pods; the version of the model does."""
    assert evidence.cause == "model"
    right = set(evidence.pods) - evidence.wrong
    old, new = evidence.images
    assert old != new
    assert {evidence.pods[name].image for name in evidence.wrong} == {old, new}
    assert new in {evidence.pods[name].image for name in right}


def test_the_last_good_version_is_not_the_one_before_nor_the_one_with_the_best_number(evidence: Evidence) -> None:
    """Otherwise a rule of thumb would find it."""
    assert int(evidence.last_good) < int(evidence.bad) - 1
    errors = {number: entry["run"]["metrics"]["mae"] for number, entry in evidence.versions.items()}
    assert min(errors, key=errors.__getitem__) == evidence.bad
    assert min((n for n in errors if n != evidence.bad), key=errors.__getitem__) != evidence.last_good


def test_the_times_of_the_night_follow_each_other(evidence: Evidence) -> None:
    """The alias moves, a restart wakes it, the release is blamed, and only then an alert on the whole could ring."""
    first_bad = evidence.first_bad_minutes
    assert evidence.alias_moved < evidence.first_wrong < evidence.rollout < first_bad[0]
    assert len(first_bad) <= 6
    assert first_bad[-1] < minute(3, 10)


def test_ways_of_counting_ten_minutes_agree_with_promql(evidence: Evidence) -> None:
    """Whoever asks Prometheus is right too."""
    promql = pytest.importorskip("curriculum.labs.promql")
    pytest.importorskip("promql_parser")
    pytest.importorskip("prometheus_client")
    data = promql.read_openmetrics((SERVICE / "capstone-night-metrics.om").read_text(encoding="utf-8"))
    query = "sum(increase(prediction_error_sum[10m])) / sum(increase(prediction_error_count[10m])) > 6"
    for offset in (0, 7, 30):
        found = next(m for m in range(minute(2, 0), evidence.end) if promql.query(query, data, m * 60 + offset))
        assert found in evidence.first_bad_minutes


@pytest.mark.parametrize(
    "written",
    [
        "02:17",
        "2:17",
        137,
        8220 + 9,
        "02:17Z",
        "02:17:40",
        "02:17 UTC",
        "2026-11-12T02:17Z",
        "2026-11-12 02:17",
        "2026-11-12T11:17:00+09:00",
        dt.datetime(2026, 11, 12, 2, 17, 5),
        dt.datetime(2026, 11, 12, 2, 17, tzinfo=dt.UTC),
    ],
)
def test_a_time_may_be_written_in_many_ways(written: object) -> None:
    """With or without day, zone and seconds, and as YAML makes a number of it."""
    assert night.read_minute(written, DAYS) == minute(2, 17)


@pytest.mark.parametrize("written", [None, "", "soon", -5, "25:99x", True, [], "2026-13-40"])
def test_what_is_no_time_is_none(written: object) -> None:
    """It is judged as another minute, and never breaks the judge."""
    assert night.read_minute(written, DAYS) is None


@pytest.mark.parametrize(
    ("written", "minutes"),
    [(77, 77), ("77", 77), ("77 min", 77), ("77 minutes", 77), ("1h17m", 77), ("", None), ("long", None)],
)
def test_a_span_may_be_written_in_many_ways(written: object, minutes: float | None) -> None:
    """As a number, with its unit, or as Prometheus writes durations."""
    assert undo._span(written) == minutes


def test_a_review_names_nobody_by_account_or_surname() -> None:
    """Words that only contain a name are no name."""
    assert undo._names("k.mori", "changed by k.mori")
    assert undo._names("k.mori", "Ms. Mori changed it")
    assert undo._names("k.mori", "moriさんが変えた")
    assert not undo._names("k.mori", "the memory of memorial days, mortimer")


def test_the_record_of_the_night_is_played_whole(evidence: Evidence) -> None:
    """Each series has a value for each minute; versions start where their first truth arrives."""
    series, start = recorded(evidence, "delivery-time")
    minutes = evidence.end - start + 1
    assert {len(values.split()) for values in series.values()} == {minutes}
    wrong = next(
        values for name, values in series.items() if "error_count" in name and f'model="{evidence.bad}"' in name
    )
    assert wrong.startswith("_ ")
    assert not wrong.endswith("_")


def test_another_night_is_decided_by_the_share_of_change() -> None:
    """The feature that moved the most in absolute numbers is another one; a sound night has none that moved by a fifth."""
    registry = Lab("x", SERVICE, {}).json("capstone-night-registry.json")
    for sound in (False, True):
        made = undo.another_night(registry, sound=sound)
        was, now = undo._means(made, 10), undo._means(made, 12)
        shares = {name: abs(now[name] - was[name]) / was[name] for name in was}
        assert (max(shares.values()) >= 0.2) != sound
        if not sound:
            assert max(shares, key=shares.__getitem__) != max(was, key=lambda name: abs(now[name] - was[name]))


# --- the release ---


@pytest.mark.parametrize("margin", [0.5, 0.6, 0.8, 1.0])
@pytest.mark.parametrize("budget", [40, 50, 60])
def test_every_learner_releases_the_version_that_no_rule_refuses(margin: float, budget: float) -> None:
    """The personal limits do not decide by a hair."""
    text = (SERVICE / "capstone-release-shadow.csv").read_text(encoding="utf-8")
    chosen, refused = Rule(budget, margin, "rain").decision(text)
    assert (chosen, refused) == ("6", {"5": {"slice"}, "7": {"failures", "slow"}, "8": {"failures"}})


@pytest.mark.parametrize("margin", [0.5, 1.0])
def test_the_trials_say_what_the_rule_says(margin: float) -> None:
    """What is expected of a script is what our own rule decides."""
    rule = Rule(50, margin, "rain")
    for trials in release._trials(rule).values():
        for trial in trials:
            chosen, refused = rule.decision(trial.log)
            assert chosen == trial.release
            assert not trial.reason or trial.reason in refused[trial.version]


def test_a_made_up_log_keeps_unknown_truths_empty() -> None:
    """And gives every version a column of its own."""
    head, first, *_ = log("rain", {"12": steady(2.0)}, unknown=8).splitlines()
    assert head == "id,hour,rain,truth,v4,ms4,v12,ms12"
    assert first.split(",")[3] == ""


# --- what ships ---


def test_another_export_has_one_run_that_ships() -> None:
    """Its error reads smaller than the others only as a number, not as a text."""
    runs = Lab("x", SERVICE, {}).json("capstone-ship-runs.json")
    assert ship.best(runs)["run_id"].startswith(ship.VERSION)
    for seed in (1, 2):
        later = ship.another_export(runs, seed)
        fit = [run for run in later if ship.may_ship(run)]
        assert (
            ship.best(later)["metrics"]["mae"] != min(fit, key=lambda run: str(run["metrics"]["mae"]))["metrics"]["mae"]
        )
        assert not {run["run_id"] for run in runs} & {run["run_id"] for run in later}
        assert min(run["metrics"].get("mae", 99) for run in later) < ship.best(later)["metrics"]["mae"]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("COPY capstone-ship-model.json model.json", {"/app/model.json"}),
        ("COPY capstone-ship-model.json ./", {"/app/capstone-ship-model.json"}),
        ("COPY capstone-ship-model.json app.py /srv/", {"/srv/capstone-ship-model.json"}),
        ("COPY . .", {"/app/capstone-ship-model.json"}),
        ("COPY *.json /data/", {"/data/capstone-ship-model.json"}),
        ("ADD capstone-ship-model.json /model.json", {"/model.json"}),
        ("COPY app.py ./", set()),
    ],
)
def test_a_dockerfile_puts_the_model_somewhere(lines: str, expected: set[str]) -> None:
    """Renamed, in a folder, or not at all."""
    reader = pytest.importorskip("curriculum.labs.dockerfile")
    pytest.importorskip("e2b_dockerfile_utils")
    dockerfile = reader.parse_dockerfile(f"FROM python:3.12-slim\nWORKDIR /app\n{lines}\n")
    assert ship.places(dockerfile.last, dockerfile, ship.MODEL) == expected


def test_a_model_is_followed_through_stages_and_moves() -> None:
    """Copied from a stage, renamed by a command."""
    reader = pytest.importorskip("curriculum.labs.dockerfile")
    pytest.importorskip("e2b_dockerfile_utils")
    text = (
        "FROM python:3.12-slim AS files\nWORKDIR /in\nCOPY . .\nRUN mv capstone-ship-model.json model.json\n"
        "FROM python:3.12-slim\nWORKDIR /app\nCOPY --from=files /in/ ./\n"
    )
    dockerfile = reader.parse_dockerfile(text)
    assert "/app/model.json" in ship.places(dockerfile.last, dockerfile, ship.MODEL)


def test_the_shipped_model_is_the_best_run_of_the_export() -> None:
    """Part 2 begins where part 1 ends."""
    lab = Lab("x", SERVICE, {})
    best, model = ship.best(lab.json("capstone-ship-runs.json")), lab.json("capstone-ship-model.json")
    assert model == {"version": best["run_id"][:8], **best["model"]}


def test_each_part_can_be_done_in_ninety_minutes_and_the_first_two_need_no_backend() -> None:
    """What the capstone promises of its parts."""
    template = catalog_at(None).template("capstone")
    assert template is not None
    for level in ("beginner", "intermediate", "advanced"):
        parts = template.exercises(level)
        assert len(parts) == 4
        assert all(part.content.minutes <= 90 for part in parts)
        assert [part.content.backend for part in parts[:2]] == [None, None]
