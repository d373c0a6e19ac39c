"""A cohort's notebooks from Airflow: one mapped task for each learner, through Papermill and the engine `curriculum`.

    pip install curriculum apache-airflow
    cp examples/airflow_dag.py "$AIRFLOW_HOME/dags/"
    CURRICULUM_ROSTER=roster.csv CURRICULUM_OUTPUT=output/airflow airflow dags test curriculum_cohort

`curriculum cohort` does this faster and keeps a manifest. Use a DAG where the notebooks are one step among others:
after the enrolment is exported, before the links are mailed.
"""

from __future__ import annotations

import csv
import datetime as dt
import os
from pathlib import Path

from airflow.sdk import dag, task


@task
def learners() -> list[dict[str, str]]:
    """The rows of a CSV with the columns id, learner, level, lang and start."""
    with Path(os.environ["CURRICULUM_ROSTER"]).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@task(retries=2, retry_delay=dt.timedelta(seconds=5))
def study_notebook(learner: dict[str, str]) -> str:
    """One run of Papermill: the parameters are those of `curriculum generate`."""
    import papermill

    from curriculum.catalog import catalog_at

    path = Path(os.environ["CURRICULUM_OUTPUT"]) / learner["id"] / f"study.{learner['lang']}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = str(catalog_at(None).frame_file)
    papermill.execute_notebook(
        frame, str(path), learner, engine_name="curriculum", kernel_name="python3", language="python"
    )
    return str(path)


@dag(schedule=None, catchup=False)
def curriculum_cohort() -> None:
    study_notebook.expand(learner=learners())


curriculum_cohort()
