import sys

import mlflow

NAME = "⟦delivery-time⟧"
MOST = 0.2

mlflow.set_tracking_uri("sqlite:///mlflow.db")
client = mlflow.MlflowClient()


def means(version):
    metrics = client.get_run(version.run_id).data.metrics
    return {name.removeprefix("mean_"): value for name, value in metrics.items() if name.startswith("mean_")}


versions = {int(version.version): version for version in client.search_model_versions(f"name = '{NAME}'")}
current = int(client.get_registered_model(NAME).aliases["champion"])
passed = [number for number, version in versions.items() if number != current and version.tags.get("gate") == "passed"]
if not passed:
    sys.exit("there is no older version that has passed the gate")

good = max(passed)
was, now = means(versions[good]), means(versions[current])
moved = {feature: abs(now[feature] - mean) / abs(mean) for feature, mean in was.items()}
feature = max(moved, key=moved.get)
if moved[feature] < MOST:
    sys.exit(f"version {current} stays: no mean has moved by {MOST:.0%}")

client.set_registered_model_alias(NAME, "champion", str(good))
client.set_model_version_tag(NAME, str(current), "withdrawn", feature)
print(f"champion {good}, withdrawn {current}: {feature} {moved[feature]:.0%}")
