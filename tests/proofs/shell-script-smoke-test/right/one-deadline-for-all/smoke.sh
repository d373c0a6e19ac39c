#!/bin/bash
fail() { echo "smoke.sh: $1 failed" >&2; exit 1; }
export url=$1
timeout "$2" bash -c 'until curl -fs -m 1 "$url/healthz" -o /dev/null; do sleep 1; done' || fail "$url/healthz"
curl -f -s -m 3 -X POST -H "Content-Type: application/json" --data-binary @sh-request.json "$url/predict" || fail "$url/predict"
