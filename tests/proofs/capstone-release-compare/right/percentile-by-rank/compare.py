import csv
import json
from pathlib import Path

IN_USE = "4"
MOST_FAILURES, BUDGET_MS, MARGIN = 0.005, ⟦budget_ms⟧, ⟦margin⟧
SLICES = [
    lambda row: row["⟦rain⟧"] == "0",
    lambda row: row["⟦rain⟧"] == "1",
    lambda row: int(row["hour"]) < 11,
    lambda row: 11 <= int(row["hour"]) <= 16,
    lambda row: int(row["hour"]) >= 17,
]

with Path("capstone-release-shadow.csv").open(encoding="utf-8", newline="") as file:
    ROWS = [row for row in csv.DictReader(file) if row["truth"]]
VERSIONS = [name[1:] for name in ROWS[0] if name.startswith("v") and name[1:].isdigit()]


def error(version, belongs=lambda row: True):
    off = [
        abs(float(row[f"v{version}"]) - float(row["truth"]))
        for row in ROWS
        if row[f"v{version}"] and belongs(row)
    ]
    return sum(off) / len(off) if off else 0.0


def reasons(version):
    answered = [row for row in ROWS if row[f"v{version}"]]
    in_time = [row for row in answered if float(row[f"ms{version}"]) <= BUDGET_MS]
    against = {
        "failures": len(ROWS) - len(answered) > MOST_FAILURES * len(ROWS),
        "slow": sorted(float(row[f"ms{version}"]) for row in answered)[int(0.95 * len(answered))] > BUDGET_MS,
        "worse": error(version) > error(IN_USE),
        "slice": any(error(version, part) - error(IN_USE, part) > MARGIN for part in SLICES),
    }
    return [word for word, holds in against.items() if holds]


refused = {version: reasons(version) for version in VERSIONS if version != IN_USE}
fit = [version for version in refused if not refused[version]]
decision = {
    "release": min(fit, key=error, default=None),
    "refused": {version: why for version, why in refused.items() if why},
}
Path("decision.json").write_text(json.dumps(decision, indent=2) + "\n", encoding="utf-8")
print(decision)
