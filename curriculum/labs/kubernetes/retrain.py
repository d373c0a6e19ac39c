"""The judge of the nightly retraining."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

from curriculum.labs import judge
from curriculum.labs.kubernetes.shared import accepted, sized, workload
from curriculum.labs.lab import Lab
from curriculum.labs.manifests import Manifest, PodSpec, load
from curriculum.labs.manifests.model import mapping, number
from curriculum.labs.manifests.schedule import is_zone, parse_schedule, same_clock
from curriculum.outcome import Finding


@judge("kubernetes-retrain-cronjob")
def retrain_cronjob(lab: Lab) -> Iterator[Finding]:
    manifests = load(lab)
    yield accepted(lab, manifests, own={"restart-policy", "schedule", "time-zone"})
    job = workload(manifests, "CronJob", f"{lab.value('delivery-time')}-retrain")
    if job is None or job.pods is None:
        return
    if finding := _on_time(lab, job):
        yield finding
    spec = mapping(job.at("spec", "jobTemplate", "spec"))
    policy, parallel = job.at("spec", "concurrencyPolicy"), number(spec.get("parallelism"), 1)
    yield lab.found(
        "no-overlap",
        policy == "Forbid" and parallel <= 1,
        found=policy or "",
        expected="Forbid",
        fault="parallel" if policy == "Forbid" else "replace" if policy == "Replace" else "allow",
    )
    retries, limit = int(lab.number("retries")), spec.get("backoffLimit")
    yield lab.found(
        "gives-up",
        limit == retries,
        found="" if limit is None else limit,
        expected=retries,
        fault="default" if limit is None else "other-number",
    )
    yield _ends(lab, spec, job.pods)
    late = job.at("spec", "startingDeadlineSeconds")
    fault = "no-deadline" if late is None else "other-deadline"
    yield lab.found(
        "not-too-late", late == _TWO_HOURS, found="" if late is None else f"{late} s", expected="7200 s", fault=fault
    )
    if job.pods.spec.get("restartPolicy") in ("Never", "OnFailure"):
        yield _keeps_evidence(lab, job, spec, job.pods)
    container = job.pods.container(image=f"{lab.value('delivery-time')}-train")
    if container:
        yield sized(lab, container, "512Mi")


_TWO_HOURS, _MORNING = 7200, 12 * 3600


def _on_time(lab: Lab, job: Manifest) -> Finding | None:
    text, zone = job.at("spec", "schedule"), job.at("spec", "timeZone")
    schedule = parse_schedule(text)
    if (schedule is None and not str(text).startswith("@every")) or (zone is not None and not is_zone(str(zone))):
        return None
    hour, minute, wanted = int(lab.number("hour")), int(lab.number("minute")), lab.value("zone")
    # A leap year holds every month, weekday and day of a month.
    dates = [dt.date(2028, 1, 1) + dt.timedelta(days=n) for n in range(366)]
    right = schedule is not None and schedule.times() == [dt.time(hour, minute)] and all(map(schedule.on, dates))
    times = [time.strftime("%H:%M") for time in schedule.times()[:4]] if schedule else []
    clock = zone is not None and same_clock(str(zone), wanted)
    met = right and clock and job.at("spec", "suspend") is not True
    swapped = schedule is not None and schedule.minutes == {hour}
    fault = "suspended" if right and clock else "other-zone" if right else "turned-around" if swapped else "other-times"
    return lab.found(
        "on-time",
        met,
        found=f"{text} ({', '.join(times)}) {zone or ''}",
        expected=f"{hour:02}:{minute:02} {wanted}",
        fault=fault,
    )


def _ends(lab: Lab, spec: Mapping[str, Any], pods: PodSpec) -> Finding:
    deadline, longest = spec.get("activeDeadlineSeconds"), int(lab.number("longest")) * 60
    if not isinstance(deadline, int):
        each = pods.spec.get("activeDeadlineSeconds") is not None
        return lab.found("ends", False, expected=f"1200-{longest} s", fault="each-try" if each else "no-deadline")
    return lab.found(
        "ends",
        1200 <= deadline <= longest,
        found=f"{deadline} s",
        expected=f"1200-{longest} s",
        fault="too-short" if deadline < 1200 else "too-long",
    )


def _keeps_evidence(lab: Lab, job: Manifest, spec: Mapping[str, Any], pods: PodSpec) -> Finding:
    kept = number(job.at("spec", "failedJobsHistoryLimit"), 1)
    after = spec.get("ttlSecondsAfterFinished")
    policy = str(pods.spec.get("restartPolicy"))
    soon = isinstance(after, int) and after < _MORNING
    fault = "on-failure" if policy != "Never" else "no-history" if kept < 1 else "gone-too-soon"
    shown = f"restartPolicy: {policy}, failedJobsHistoryLimit: {kept}" + (
        f", ttl: {after} s" if after is not None else ""
    )
    return lab.found("keeps-evidence", policy == "Never" and kept >= 1 and not soon, found=shown, fault=fault)
