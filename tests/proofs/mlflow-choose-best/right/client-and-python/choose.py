import json

from mlflow import MlflowClient

client = MlflowClient("sqlite:///mlflow.db")
experiment = client.get_experiment_by_name("⟦delivery-time⟧")


def fair(run):
    return (
        run.info.status == "FINISHED"
        and run.data.params.get("held_out") == "2026-10"
        and run.data.metrics.get("predict_ms", float("inf")) <= ⟦budget⟧
    )


runs = [run for run in client.search_runs([experiment.experiment_id]) if fair(run)]
best = min(runs, key=lambda run: run.data.metrics["mae"], default=None)
decision = {"run_id": best.info.run_id if best else None, "compared": len(runs), "gain": None, "mae": None}
if best:
    mae = {run.data.params["model"]: run.data.metrics["mae"] for run in runs}
    decision["mae"] = round(best.data.metrics["mae"], 1)
    decision["gain"] = mae["average"] - best.data.metrics["mae"]
    client.set_tag(best.info.run_id, "decision", "chosen")
with open("decision.json", "w") as file:
    json.dump(decision, file)
