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

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("⟦delivery-time⟧")
with mlflow.start_run():
    mlflow.log_param("seed", SEED)
    mlflow.log_param("model_version", model["version"])
    mlflow.log_metric("error", error)
