import json
from pathlib import Path

import mlflow
from data import FEATURES, make

SEED = ⟦seed⟧

model = json.loads(Path("model.json").read_text(encoding="utf-8"))
rows, actuals = make(seed=SEED)
errors = []
for row, actual in zip(rows, actuals):
    predicted = model["bias"] + sum(model["weights"][name] * value for name, value in zip(FEATURES, row))
    errors.append(abs(predicted - actual))
error = sum(errors) / len(errors)
print(f"{error:.3f}")

mlflow.set_experiment(experiment_name="⟦delivery-time⟧")
mlflow.start_run(run_name="baseline")
mlflow.log_params({"seed": str(SEED), "model_version": model["version"], "rows": len(rows)})
mlflow.log_metrics({"mae": round(error, 2), "worst": max(errors)})
mlflow.set_tag("purpose", "baseline")
mlflow.end_run()
