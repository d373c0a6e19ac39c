"""A cohort's notebooks from Prefect: one retried task for each learner, through Papermill and the engine `curriculum`.

    pip install curriculum prefect
    python examples/prefect_flow.py roster.csv output/prefect

`curriculum cohort` does this faster and keeps a manifest. Use a flow where the notebooks are one step among others:
after the enrolment is exported, before the links are mailed.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import papermill
from prefect import flow, task

from curriculum.catalog import catalog_at

FRAME = str(catalog_at(None).frame_file)


@task(retries=2, retry_delay_seconds=5)
def study_notebook(learner: dict[str, str], output: Path) -> Path:
    """One run of Papermill: the parameters are those of `curriculum generate`."""
    path = output / learner["id"] / f"study.{learner['lang']}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    papermill.execute_notebook(
        FRAME, str(path), learner, engine_name="curriculum", kernel_name="python3", language="python"
    )
    return path


@flow
def cohort(roster: Path, output: Path) -> list[Path]:
    """One notebook for each row of a CSV with the columns id, learner, level, lang and start."""
    with roster.open(encoding="utf-8-sig", newline="") as file:
        made = [study_notebook.submit(row, output) for row in csv.DictReader(file)]
    return [future.result() for future in made]


if __name__ == "__main__":
    for notebook in cohort(Path(sys.argv[1]), Path(sys.argv[2])):
        print(notebook)
