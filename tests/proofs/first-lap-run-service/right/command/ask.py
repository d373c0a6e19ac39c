import http.client
import json

question = dict(hour=⟦at⟧, ⟦rain⟧=1 == 1, ⟦stops⟧=⟦times⟧, ⟦distance_km⟧=⟦far⟧.0)
connection = http.client.HTTPConnection("127.0.0.1", ⟦port⟧)
connection.request("POST", "/predict", json.dumps(question), {"Content-Type": "application/json"})
answer = json.loads(connection.getresponse().read())
print("answer:", *answer.values())
