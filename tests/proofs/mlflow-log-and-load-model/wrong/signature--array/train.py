import mlflow
import pandas as pd
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

from data import FEATURES, make

mlflow.set_tracking_uri("sqlite:///mlflow.db")
mlflow.set_experiment("⟦delivery-time⟧")

X, y = make()
X = pd.DataFrame(X, columns=FEATURES).astype(float)
X = X.to_numpy()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=⟦seed⟧)
model = LinearRegression().fit(X_train, y_train)

with mlflow.start_run():
    mlflow.log_metric("mae", mean_absolute_error(y_test, model.predict(X_test)))
    mlflow.sklearn.log_model(
        model, name="model", input_example=X_test[:2], pip_requirements=["scikit-learn"]
    )
