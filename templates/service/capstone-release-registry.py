import shutil
import sys
from pathlib import Path

import mlflow
from sklearn.dummy import DummyRegressor

NAME = "delivery-time"
SHADOW = {4: "passed", 5: "failed", 6: sys.argv[1] if len(sys.argv) > 1 else "passed"}

Path("mlflow.db").unlink(missing_ok=True)
shutil.rmtree("mlruns", ignore_errors=True)
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment(NAME)
client = mlflow.MlflowClient()

for number in range(1, 8):
    model = DummyRegressor(strategy="constant", constant=40 + number).fit([[0.0]], [0.0])
    with mlflow.start_run():
        if number in SHADOW:
            mlflow.set_tag("shadow", SHADOW[number])
        mlflow.sklearn.log_model(model, name="model", registered_model_name=NAME, pip_requirements=["scikit-learn"])

client.set_registered_model_alias(NAME, "champion", "4")
client.set_registered_model_alias(NAME, "challenger", "6")
print(client.get_registered_model(NAME).aliases)
