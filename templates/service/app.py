import json
import os
from pathlib import Path

from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from pydantic import BaseModel, Field

MODEL = json.loads(Path(os.environ.get("MODEL_PATH", "model.json")).read_text(encoding="utf-8"))
PREDICTIONS = Counter("predictions_total", "Predictions served", ["rain"])
SECONDS = Histogram("prediction_seconds", "Seconds spent on one prediction")


class Delivery(BaseModel):
    distance_km: float = Field(ge=0, le=100)
    hour: int = Field(ge=0, le=23)
    rain: bool
    stops: int = Field(ge=1, le=20)


app = FastAPI(title="delivery-time")


@app.get("/healthz")
def healthz() -> dict[str, object]:
    return {"ok": True, "model": MODEL["version"]}


@app.post("/predict")
def predict(features: Delivery) -> dict[str, float]:
    with SECONDS.time():
        weights = MODEL["weights"]
        minutes = MODEL["bias"] + sum(weights[name] * float(value) for name, value in features.model_dump().items())
    PREDICTIONS.labels(rain=str(features.rain).lower()).inc()
    return {"minutes": round(minutes, 1)}


@app.get("/metrics")
def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
