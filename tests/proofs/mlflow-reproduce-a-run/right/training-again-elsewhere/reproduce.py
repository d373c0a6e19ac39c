import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mlflow import MlflowClient

NAME = "⟦delivery-time⟧"
client = MlflowClient("sqlite:///mlflow.db")


def dataset(run):
    return next((entry.dataset.digest for entry in run.inputs.dataset_inputs), None)


def main():
    aliases = client.get_registered_model(NAME).aliases
    version = client.get_model_version(NAME, aliases["champion"])
    run = client.get_run(version.run_id)
    report = {"version": version.version, "run_id": run.info.run_id, "logged": run.data.metrics.get("mae")}
    try:
        arguments = [
            f"--{name.replace('_', '-')}={run.data.params[name]}"
            for name in ("rows", "data_seed", "split_seed", "alpha")
        ]
    except KeyError:
        return report | {"verdict": "not-recorded"}, 2
    if report["logged"] is None or not dataset(run):
        return report | {"verdict": "not-recorded"}, 2
    with tempfile.TemporaryDirectory() as folder:
        for file in ("train.py", "data.py"):
            shutil.copy(file, folder)
        subprocess.run([sys.executable, "train.py", *arguments], cwd=folder, check=True)
        fresh = MlflowClient(f"sqlite:///{folder}/mlflow.db")
        experiment = fresh.get_experiment_by_name(NAME)
        again = fresh.search_runs([experiment.experiment_id])[0]
        report["again"] = round(again.data.metrics["mae"], 3)
        if dataset(again) != dataset(run):
            return report | {"verdict": "other-data"}, 1
    same = abs(report["again"] - report["logged"]) < 0.01
    return report | {"verdict": "reproduced" if same else "other-number"}, int(not same)


report, code = main()
with open("report.json", "w") as file:
    json.dump(report, file)
sys.exit(code)
