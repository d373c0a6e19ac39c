import json
import random
import sys
import urllib.error
import urllib.request

port, code = sys.argv[1:3]
plain, wrong, special = map(int, code.split("-"))
kinds = ["plain"] * plain + ["wrong"] * wrong + ["special"] * special
random.Random(code).shuffle(kinds)
for kind in kinds:
    question = {
        "distance_km": 500.0 if kind == "wrong" else 7.5,
        "hour": 10,
        "rain": kind == "special",
        "stops": 3,
    }
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/predict",
        data=json.dumps(question).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        urllib.request.urlopen(request).close()
    except urllib.error.HTTPError as error:
        error.close()
print(f"sent={len(kinds)}")
