
import json

import pandas as pd

df = pd.read_csv("capstone-release-shadow.csv")
df = df[df["truth"].notna()]
names = [c[1:] for c in df.columns if c[0] == "v" and c[1:].isdigit()]
off = pd.DataFrame({n: (df[f"v{n}"] - df["truth"]).abs() for n in names})
part = pd.cut(df["hour"], [-1, 10, 16, 23], labels=["early", "middle", "late"])
refused = {}
for n in names:
    if n == "4":
        continue
    why = []
    if df[f"v{n}"].isna().mean() > 0.005:
        why.append("failures")
    if df[f"ms{n}"].quantile(0.95) > ⟦budget_ms⟧:
        why.append("slow")
    if off[n].mean() > off["4"].mean():
        why.append("worse")
    rain = (off[n].groupby(df["⟦rain⟧"]).mean() - off["4"].groupby(df["⟦rain⟧"]).mean()).max()
    hours = (off[n].groupby(part, observed=True).mean() - off["4"].groupby(part, observed=True).mean()).max()
    if max(rain, hours) > ⟦margin⟧:
        why.append("slice")
    refused[n] = why
fit = [n for n in refused if not refused[n]]
release = off[fit].mean().idxmin() if fit else None
with open("decision.json", "w") as file:
    json.dump({"refused": refused, "release": release and int(release)}, file)
