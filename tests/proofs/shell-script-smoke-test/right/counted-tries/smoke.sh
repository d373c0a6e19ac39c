#!/usr/bin/env bash
set -euo pipefail
base=${1%/}
left=$2
while ! curl --fail --silent --show-error --output /dev/null --connect-timeout 1 --max-time 1 "$base/healthz"; do
  left=$((left - 1))
  if ((left <= 0)); then
    printf 'not healthy: %s\n' "$base/healthz" >&2
    exit 3
  fi
  sleep 0.5
done
code=$(curl --silent --max-time 3 --output answer.json --write-out '%{http_code}' --json @sh-request.json "$base/predict" || true)
if [ "$code" != 200 ]; then
  echo "$base/predict answered $code" >&2
  exit 4
fi
cat answer.json
