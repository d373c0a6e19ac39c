import json
from pathlib import Path

from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

from data import FEATURES, make

X, y = make()
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
model = LinearRegression().fit(X_train, y_train)
error = mean_absolute_error(y_test, model.predict(X_test))
Path("model.json").write_text(
    json.dumps(
        {
            "version": "1",
            "bias": round(float(model.intercept_), 4),
            "weights": {name: round(float(w), 4) for name, w in zip(FEATURES, model.coef_)},
        },
        indent=2,
    )
    + "\n",
    encoding="utf-8",
)
print(f"mean absolute error: {error:.2f} minutes")
