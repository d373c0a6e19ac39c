import json
from pathlib import Path

import mlflow

HELD_OUT = "2026-10"
BUDGET = ⟦budget⟧

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("⟦delivery-time⟧")

runs = mlflow.search_runs(
    filter_string=(
        f"attributes.status = 'FINISHED' and params.held_out = '{HELD_OUT}' and metrics.predict_ms < {BUDGET}"
    ),
    order_by=["metrics.mae ASC"],
    output_format="list",
)

decision = {"run_id": None, "compared": 0}
if runs:
    best = runs[0]
    mae = best.data.metrics["mae"]
    average = next(run for run in runs if run.data.params["model"] == "average")
    decision = {
        "run_id": best.info.run_id,
        "mae": mae,
        "compared": len(runs),
        "gain": round(average.data.metrics["mae"] - mae, 2),
    }
    mlflow.MlflowClient().set_tag(best.info.run_id, "decision", "chosen")

Path("decision.json").write_text(json.dumps(decision, indent=2) + "\n", encoding="utf-8")
print(decision)
