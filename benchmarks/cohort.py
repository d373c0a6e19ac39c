"""A cohort against the loop that people write today, and against the disk.

    python benchmarks/cohort.py [--learners N …] [--jobs N …] [--dask] [--loop N]

In turns in one run: `curriculum cohort` on a roster with 24 distinct plans; (a) the plain loop, one
`papermill.execute_notebook(prepare_only=True)` for each learner on a notebook of the same size, measured on a script for
`--loop` learners and compared by throughput, and the same once more without what it loads once; (b) the limit, a loop
that writes the same bytes as durably, which no program can beat that writes them one after the other. Each is a process of its own, so that its peak
memory is its own. `--dask` adds a cluster of two workers on this machine. Prints seconds and ratios; the ratios are what
counts.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

#: A child runs the code and says its seconds and its peak memory, its children's too.
_CHILD = """
import json, resource, sys, time
begin = time.perf_counter()
{code}
seconds = time.perf_counter() - begin
peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps([seconds, peak / 1024]))
"""

#: What is loaded once is paid once, however many learners there are: the clock starts after it.
_WARM = """
papermill.execute_notebook({notebook!r}, None, {{}}, prepare_only=True, progress_bar=False)
begin = time.perf_counter()
"""

_OURS = """
from curriculum.cli import run
code = run({argv!r})
assert code == 0, code
"""

_LOOP = """
import papermill
from pathlib import Path
out = Path({out!r})
{warm}
for n in range({learners}):
    (out / str(n)).mkdir(parents=True)
    papermill.execute_notebook(
        {notebook!r}, out / str(n) / "study.ipynb", {{"learner": f"Learner {{n}}", "id": f"s{{n}}"}},
        prepare_only=True, progress_bar=False)
"""

#: The bytes are read before the clock starts.
_LIMIT = """
import json
from pathlib import Path
from curriculum.store import Local
texts = [Path(name).read_bytes() for name in {notebooks!r}]
store = Local({out!r})
begin = time.perf_counter()
for n in range({learners}):
    store.write(f"s{{n:06}}/study.ipynb", texts[n % len(texts)])
"""


def measured(code: str) -> tuple[float, float]:
    """Seconds and peak memory in megabytes of a process that runs the code."""
    result = subprocess.run([sys.executable, "-c", _CHILD.format(code=code)], capture_output=True, text=True)
    if result.returncode:
        sys.exit(result.stderr)
    seconds, peak = json.loads(result.stdout.splitlines()[-1])
    return seconds, peak


def write_roster(path: Path, learners: int) -> None:
    """24 distinct plans: three levels, two languages, four industries."""
    levels, langs = ("beginner", "intermediate", "advanced"), ("ja", "en")
    industries = ("tech", "finance", "healthcare", "manufacturing")
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "name", "level", "lang", "industry"])
        for n in range(learners):
            plan = (levels[n % 3], langs[n // 3 % 2], industries[n // 6 % 4])
            table.writerow([f"s{n:06}", f"Learner {n}", *plan])


def ours(roster: Path, out: Path, *more: str) -> tuple[float, float]:
    argv = ["cohort", str(roster), "--output", str(out), "--start", "2026-11-30", "--json", *more]
    return measured(_OURS.format(argv=argv))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learners", type=int, nargs="*", default=[100, 1000, 10_000])
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--dask", action="store_true")
    parser.add_argument("--loop", type=int, default=40)
    parser.add_argument("--folder", help="A folder on the disk to measure; default: the temporary one.")
    options = parser.parse_args()
    peaks: dict[int, float] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        for learners in options.learners:
            roster = folder / f"{learners}.csv"
            write_roster(roster, learners)
            times: dict[str, float] = {}
            for jobs in options.jobs:
                out = folder / f"ours-{learners}-{jobs}"
                times[f"ours, {jobs} job{'s' * (jobs > 1)}"], peak = ours(roster, out, "--jobs", str(jobs))
                peaks.setdefault(learners, peak)
            first = folder / f"ours-{learners}-{options.jobs[0]}"
            notebooks = [str(path) for path in sorted(first.glob("s*/*.ipynb"))[:24]]
            loop = min(options.loop, learners)
            for name, warm in (("(a) plain loop", ""), ("(a) plain loop, warm", _WARM.format(notebook=notebooks[0]))):
                place = folder / f"loop-{learners}-{bool(warm)}"
                code = _LOOP.format(out=str(place), learners=loop, notebook=notebooks[0], warm=warm)
                times[name] = measured(code)[0] / loop * learners
            times["(b) the limit"], _ = measured(
                _LIMIT.format(out=str(folder / f"limit-{learners}"), learners=learners, notebooks=notebooks)
            )
            if options.dask:
                times["ours, Dask, 2 workers"] = with_dask(roster, folder / f"dask-{learners}")
            print(f"{learners:,} learners, 24 plans, {Path(notebooks[0]).stat().st_size / 1000:.0f} kB each")
            for what, seconds in times.items():
                against = f"{times['(a) plain loop'] / seconds:6.1f} x as fast as (a)"
                print(
                    f"  {what:<22}{seconds:9.2f} s  {seconds / learners * 1000:8.2f} ms each  {against}"
                    f"  {seconds / times['(b) the limit']:5.2f} x the time of (b)"
                )
    first_peak = next(iter(peaks.values()))
    for learners, peak in peaks.items():
        print(f"peak memory at {learners:>6,}: {peak:5.0f} MB, {peak / first_peak:.2f} x")


def with_dask(roster: Path, out: Path) -> float:
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster:
        return ours(roster, out, "--dask", cluster.scheduler_address)[0]


if __name__ == "__main__":
    main()
