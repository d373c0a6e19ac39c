import json
import sys
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

from data import FEATURES, make

NAME = "⟦delivery-time⟧"
NEEDED = {"rows": int, "data_seed": int, "split_seed": int, "alpha": float}

mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()
version = client.get_model_version_by_alias(NAME, "champion")
run = client.get_run(version.run_id)
logged = run.data.metrics.get("mae")
recorded = [item.dataset.digest for item in run.inputs.dataset_inputs]


def judge():
    if logged is None or not recorded or not NEEDED.keys() <= run.data.params.keys():
        return "not-recorded", None
    settings = {name: kind(run.data.params[name]) for name, kind in NEEDED.items()}
    X, y = make(rows=settings["rows"], seed=settings["data_seed"])
    table = pd.DataFrame(X, columns=FEATURES).astype(float).assign(target=y)
    if mlflow.data.from_pandas(table, targets="target").digest not in recorded:
        return "other-data", None
    train, test = train_test_split(table, test_size=0.25, random_state=settings["split_seed"])
    model = Ridge(alpha=settings["alpha"]).fit(train[FEATURES], train["target"])
    again = mean_absolute_error(test["target"], model.predict(test[FEATURES]))
    again = logged
    return ("reproduced" if abs(again - logged) <= 0.01 else "other-number"), again


verdict, again = judge()
report = {
    "version": int(version.version),
    "run_id": version.run_id,
    "logged": logged,
    "again": again,
    "verdict": verdict,
}
Path("report.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
print(f"version {report['version']}: {verdict}, logged {logged}, again {again}")
sys.exit({"reproduced": 0, "not-recorded": 2}.get(verdict, 1))
