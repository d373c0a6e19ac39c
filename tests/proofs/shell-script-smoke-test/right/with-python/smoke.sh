#!/usr/bin/env bash
python3 - "$1" "$2" <<'END'
import sys, time, urllib.request
base, deadline = sys.argv[1], time.monotonic() + float(sys.argv[2])
while True:
    try:
        urllib.request.urlopen(f"{base}/healthz", timeout=2)
        break
    except OSError as error:
        if time.monotonic() > deadline:
            sys.exit(f"{base}/healthz: {error}")
        time.sleep(0.3)
body = open("sh-request.json", "rb").read()
request = urllib.request.Request(f"{base}/predict", body, {"Content-Type": "application/json"})
try:
    print(urllib.request.urlopen(request, timeout=5).read().decode())
except OSError as error:
    sys.exit(f"{base}/predict: {error}")
END
