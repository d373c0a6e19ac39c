import csv
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from data import FEATURES, make

NEIGHBORS = [1, 3, 5, 9, 20, 60]
SEED = ⟦seed⟧


def trained(neighbors, X, y):
    return make_pipeline(StandardScaler(), KNeighborsRegressor(neighbors, algorithm="brute")).fit(X, y)


mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("⟦delivery-time⟧")

X, y = make()
X = pd.DataFrame(X, columns=FEATURES).astype(float)
X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=0.2, random_state=SEED)
X_train, X_val, y_train, y_val = train_test_split(
    X_rest, y_rest, test_size=0.25, random_state=SEED
)

with mlflow.start_run(run_name="neighbors"):
    measured = {}
    for neighbors in NEIGHBORS:
        with mlflow.start_run(run_name=f"neighbors-{neighbors}", nested=True):
            model = trained(neighbors, X_train, y_train)
            measured[neighbors] = mean_absolute_error(y_val, model.predict(X_val))
            mlflow.log_param("neighbors", neighbors)
            mlflow.log_metric("mae", measured[neighbors])
    best = max(measured, key=measured.get)
    model = trained(best, X_train, y_train)
    mlflow.log_param("best_neighbors", best)
    mlflow.log_metric("test_mae", mean_absolute_error(y_test, model.predict(X_test)))
    with Path("sweep.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["neighbors", "mae"])
        writer.writerows(sorted(measured.items()))
    mlflow.log_artifact("sweep.csv")
print("best:", best, measured)
