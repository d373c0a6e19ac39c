import json
import sys

releases = json.load(sys.stdin)
usable = [
    release
    for release in releases
    if not release["running"] and release["requests"] >= ⟦least⟧ and release["p99_ms"] <= ⟦limit⟧
]
if not usable:
    sys.exit(0)
print(min(usable, key=lambda release: release["mae"])["version"])
