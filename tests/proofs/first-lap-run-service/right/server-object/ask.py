import json
import urllib.request

question = {
    "⟦distance_km⟧": ⟦far⟧,
    "hour": ⟦at⟧,
    "⟦rain⟧": True,
    "⟦stops⟧": ⟦times⟧,
}
request = urllib.request.Request(
    "http://localhost:⟦port⟧/predict",
    data=json.dumps(question).encode(),
    headers={"Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as reply:
    print(json.load(reply)["⟦minutes⟧"])
