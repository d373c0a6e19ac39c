import json
import os
import sys

best = None
for release in json.load(sys.stdin):
    if release["running"] or release["requests"] < ⟦least⟧ or release["p99_ms"] > ⟦limit⟧:
        continue
    if best is None or release["mae"] < best["mae"]:
        best = release
if best is None:
    sys.exit(1)
sys.stdout.write(json.dumps(best["version"]) + os.linesep)
