import sys
import warnings

import pandas as pd

import mlflow
from data import FEATURES, make
from mlflow import MlflowClient

warnings.simplefilter("ignore")
mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = MlflowClient()
name = "⟦delivery-time⟧"


def leave(code, *words):
    print(*words)
    raise SystemExit(code)


def mae(uri):
    X, y = make(300, ⟦gate_seed⟧)
    predicted = mlflow.pyfunc.load_model(uri).predict(pd.DataFrame(X, columns=FEATURES, dtype=float))
    return sum(abs(a - b) for a, b in zip(predicted, y)) / len(y)


try:
    challenger = client.get_model_version_by_alias(name, "challenger")
except mlflow.MlflowException:
    leave(2, "undecided: there is no challenger")
try:
    champion = client.get_model_version_by_alias(name, "champion")
except mlflow.MlflowException:
    champion = None
try:
    measured = mae(f"models:/{name}/{challenger.version}")
    limit = mae(f"models:/{name}/{champion.version}") + ⟦tolerance⟧ if champion else float("inf")
    info = mlflow.models.get_model_info(f"models:/{name}/{challenger.version}")
    with open("approved-data.txt") as file:
        approved = [line.strip() for line in file]
    digests = [entry.dataset.digest for entry in client.get_run(challenger.run_id).inputs.dataset_inputs]
except (Exception,) as problem:
    leave(2, "undecided:", type(problem).__name__)
why = []
if measured > limit:
    why += ["worse"]
if not digests or set(digests) - set(approved):
    why += ["unknown-data"]
if not info.signature:
    why += ["no-signature"]
if why:
    leave(1, "refused:", *why)
client.set_registered_model_alias(name, "champion", challenger.version)
leave(0, "promoted", name, challenger.version)
