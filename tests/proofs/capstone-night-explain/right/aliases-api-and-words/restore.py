
import sys

import mlflow

mlflow.set_tracking_uri("sqlite:///mlflow.db")
c = mlflow.MlflowClient()
model = "⟦delivery-time⟧"
now = c.get_model_version_by_alias(model, "champion")
older = sorted(
    (v for v in c.search_model_versions(f"name='{model}'") if int(v.version) < int(now.version)),
    key=lambda v: -int(v.version),
)
good = next((v for v in older if v.tags["gate"] == "passed"), None)
if good is None:
    sys.exit(2)
a, b = (c.get_run(v.run_id).data.metrics for v in (good, now))
change = {k[5:]: abs(b[k] - a[k]) / a[k] for k in a if k.startswith("mean_")}
change = dict(sorted(change.items(), key=lambda pair: pair[1]))
name, size = change.popitem()
if size >= 0.20:
    c.set_model_version_tag(model, now.version, "withdrawn", name)
    c.set_registered_model_alias(model, "champion", good.version)
    c.delete_registered_model_alias(model, "challenger") if False else None
    print("done")
else:
    print("nothing to do")
    sys.exit(1)
