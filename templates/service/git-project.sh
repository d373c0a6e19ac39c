#!/usr/bin/env bash
set -eu
seed=${1:-1}
rm -rf project
mkdir -p project/__pycache__ project/data
cd project
printf '%s\n' 'import json' '' 'print(json.load(open("model.json"))["version"])' > app.py
printf '{"version": %d, "bias": %d.5}\n' 1 $((seed % 9 + 1)) > model.json
printf '%s\n' 'fastapi==0.165.0' 'uvicorn==0.54.0' > requirements.txt
printf '# service %d\n' "$seed" > README.md
printf 'ACCESS_TOKEN=token-%d\n' $((seed * 7919 % 100000)) > .env
printf 'cache %d\n' "$seed" > __pycache__/app.cpython-312.pyc
printf 'id,value\n1,%d\n' "$seed" > data/raw.csv
