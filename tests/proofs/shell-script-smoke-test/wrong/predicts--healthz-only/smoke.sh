#!/usr/bin/env bash
set -euo pipefail

url=$1
deadline=$((SECONDS + $2))
until curl -fsS --max-time 2 "$url/healthz" > /dev/null 2>&1; do
  if [ "$SECONDS" -ge "$deadline" ]; then
    echo "smoke.sh: no good answer from $url/healthz within $2 s" >&2
    exit 1
  fi
  sleep 1
done
