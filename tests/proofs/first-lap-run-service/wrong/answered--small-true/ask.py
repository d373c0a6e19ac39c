import json
import urllib.request

question = {
    "⟦distance_km⟧": ⟦far⟧,
    "hour": ⟦at⟧,
    "⟦rain⟧": true,
    "⟦stops⟧": ⟦times⟧,
}
request = urllib.request.Request(
    "http://127.0.0.1:⟦port⟧/predict",
    data=json.dumps(question).encode(),
    headers={"Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as reply:
    print(reply.read().decode())
