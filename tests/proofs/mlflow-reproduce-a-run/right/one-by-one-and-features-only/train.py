import argparse

import mlflow
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

from data import FEATURES, make

NAME = "⟦delivery-time⟧"

parser = argparse.ArgumentParser()
parser.add_argument("--rows", type=int, default=400)
parser.add_argument("--data-seed", type=int, default=⟦seed⟧)
parser.add_argument("--split-seed", type=int, default=⟦seed⟧)
parser.add_argument("--alpha", type=float, default=1.0)
settings = parser.parse_args()

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment(NAME)
client = mlflow.MlflowClient()

X, y = make(rows=settings.rows, seed=settings.data_seed)
table = pd.DataFrame(X, columns=FEATURES).astype(float).assign(target=y)
train, test = train_test_split(table, test_size=0.25, random_state=settings.split_seed)
model = Ridge(alpha=settings.alpha).fit(train[FEATURES], train["target"])
mae = mean_absolute_error(test["target"], model.predict(test[FEATURES]))

with mlflow.start_run():
    for name in ("rows", "data_seed", "split_seed", "alpha"):
        mlflow.log_param(name, getattr(settings, name))
    mlflow.log_metric("mae", mae)
    mlflow.log_input(mlflow.data.from_pandas(train, name="october"))
    info = mlflow.sklearn.log_model(
        model,
        name="model",
        registered_model_name=NAME,
        input_example=test[FEATURES].head(2),
        pip_requirements=["scikit-learn"],
    )

if "champion" not in client.get_registered_model(NAME).aliases:
    client.set_registered_model_alias(NAME, "champion", str(info.registered_model_version))
print(f"version {info.registered_model_version}: mae {mae:.2f}")
