"""Cold `curriculum generate` against the cold `papermill` command that prepares a notebook of the same size.

    python benchmarks/generate.py [--runs N] [--python PATH …]

In turns in one run, so that a slow minute of the machine meets both; every run is a new process and a new folder.
`--python` names the interpreters of other environments to measure too (the claim is about one without JupyterLab and
one with it: importing nbformat costs more than a second where JupyterLab is installed). Prints medians and ratios; the
ratios are what counts. Also `--help`, against the same papermill run.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def timed(command: list[str]) -> float:
    """Seconds of a whole process; stops the benchmark when the process fails."""
    begin = time.perf_counter()
    result = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    seconds = time.perf_counter() - begin
    if result.returncode:
        sys.exit(f"{' '.join(command)}\n{result.stderr}")
    return seconds


def measure(python: str, runs: int, level: str, lang: str) -> None:
    request = ["--role", "mlops-engineer", "--level", level, "--lang", lang, "--start", "2026-11-30"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        timed([python, "-m", "curriculum", "generate", *request, "--output", str(folder / "size")])
        same = next(folder.glob("size/*/*.ipynb"))
        times: dict[str, list[float]] = {"generate": [], "papermill": [], "help": []}
        for run in range(runs + 1):
            turn = {
                "papermill": [
                    python,
                    "-m",
                    "papermill",
                    str(same),
                    str(folder / f"p{run}.ipynb"),
                    "--prepare-only",
                    "-p",
                    "level",
                    level,
                ],
                "generate": [python, "-m", "curriculum", "generate", *request, "--output", str(folder / f"g{run}")],
                "help": [python, "-m", "curriculum", "--help"],
            }
            for name_, command in turn.items():
                seconds = timed(command)
                if run:  # the first turn fills the file cache
                    times[name_].append(seconds)
        lab = subprocess.run([python, "-c", "import jupyterlab"], capture_output=True).returncode == 0
        median = {name_: statistics.median(values) for name_, values in times.items()}
        size = same.stat().st_size
        print(
            f"{python} ({'with' if lab else 'without'} JupyterLab), {level}/{lang}, {size / 1000:.0f} kB, {runs} runs"
        )
        for name_, seconds in median.items():
            print(f"  {name_:<10}{seconds:6.2f} s   {seconds / median['papermill']:.2f} x papermill")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--level", default="beginner")
    parser.add_argument("--lang", default="ja")
    parser.add_argument("--python", nargs="*", default=[sys.executable])
    options = parser.parse_args()
    for python in options.python:
        measure(python, options.runs, options.level, options.lang)


if __name__ == "__main__":
    main()
