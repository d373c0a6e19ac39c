import json
import sys

import mlflow

mlflow.set_tracking_uri("sqlite:///mlflow.db")
table = mlflow.search_runs(experiment_names=["⟦delivery-time⟧"])
table = table[(table["status"] == "FINISHED") & (table["params.held_out"] == "2026-10")]
table = table[table["metrics.predict_ms"] <= ⟦budget⟧].sort_values("metrics.mae")
if table.empty:
    json.dump({"run_id": None}, open("decision.json", "w"))
    sys.exit("nothing to choose from")
first = table.iloc[0]
average = table.loc[table["params.model"] == "average", "metrics.mae"].min()
json.dump(
    {
        "run_id": first["run_id"],
        "model": first["params.model"],
        "mae": float(first["metrics.mae"]),
        "compared": int(len(table)),
        "gain": float(average - first["metrics.mae"]),
    },
    open("decision.json", "w"),
)
with mlflow.start_run(run_id=first["run_id"]):
    mlflow.set_tag("decision", "chosen")
