import json
import sys

releases = json.load(sys.stdin)
usable = [
    release
    for release in releases
    if not release["running"] and release["requests"] > ⟦least⟧ and release["p99_ms"] <= ⟦limit⟧
]
if not usable:
    sys.exit("no release is usable")
print(min(usable, key=lambda release: release["mae"])["version"])
