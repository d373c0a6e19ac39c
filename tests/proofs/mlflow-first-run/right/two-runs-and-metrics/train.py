import mlflow
import numpy as np
import pandas as pd
from data import FEATURES, make
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split

seed = ⟦seed⟧
X, y = make()
X = pd.DataFrame(X, columns=FEATURES)
a, b, c, d = train_test_split(X, np.array(y), test_size=0.25, random_state=seed)
mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment(experiment_name="⟦delivery-time⟧")
for purpose, model in [("to compare with", DummyRegressor()), ("for the desk", LinearRegression())]:
    model.fit(a, c)
    with mlflow.start_run():
        mlflow.log_param("seed", seed)
        mlflow.log_param("rows", len(y))
        mlflow.log_metrics({"mae": float(np.abs(model.predict(b) - d).mean()), "train_mae": float(np.abs(model.predict(a) - c).mean())})
        mlflow.set_tags({"purpose": purpose, "owner": "ml"})
        mlflow.sklearn.log_model(model, name="model", input_example=b.sample(1), pip_requirements=["scikit-learn", "pandas"])
