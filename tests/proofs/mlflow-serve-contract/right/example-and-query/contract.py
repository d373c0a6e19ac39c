import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowException
from sklearn.linear_model import Ridge

from data import FEATURES, make


class Careful(mlflow.pyfunc.PythonModel):
    def load(self, model):
        self.inner = model
        return self

    def predict(self, context, model_input):
        table = model_input[FEATURES_HERE]
        if table.isnull().values.any():
            raise MlflowException.invalid_parameter_value("there is an empty value")
        for number, row in enumerate(table.to_dict("records")):
            if row["hour"] < 0 or row["hour"] > 23:
                raise MlflowException.invalid_parameter_value(f"row {number}: hour={row['hour']}")
            if not 0 <= row["⟦distance_km⟧"] <= ⟦most⟧:
                raise MlflowException.invalid_parameter_value(f"row {number}: ⟦distance_km⟧")
        return pd.DataFrame({"⟦minutes⟧": np.round(self.inner.predict(table), 1)})


FEATURES_HERE = ["⟦distance_km⟧", "hour", "⟦rain⟧", "⟦stops⟧"]

if __name__ == "__main__":
    rows, y = make(rows=600)
    table = pd.DataFrame(rows, columns=FEATURES, dtype="float64")
    mlflow.set_tracking_uri("sqlite:///mlflow.db")
    mlflow.set_experiment("⟦delivery-time⟧")
    with mlflow.start_run(run_name="careful"):
        mlflow.pyfunc.log_model(
            name="careful",
            python_model=Careful().load(Ridge().fit(table, y)),
            input_example=table.head(3),
            pip_requirements=["scikit-learn"],
        )
