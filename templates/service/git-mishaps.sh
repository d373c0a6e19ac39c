#!/usr/bin/env bash
set -eu
seed=${1:-1}
rm -rf project origin.git
git init -q --bare -b main origin.git
git init -q -b main project
cd project
git config core.autocrlf false
git remote add origin ../origin.git
record() {
  git add -A -f .
  git -c user.name=Sato -c user.email=sato@example.com -c commit.gpgSign=false -c core.hooksPath=/dev/null commit -q -m "$1"
}
printf 'print("service %d")\n' "$seed" > app.py
printf '{"bias": %d.5}\n' $((seed % 9 + 1)) > model.json
printf '%s\n' fastapi uvicorn > requirements.txt
printf '# service %d\n' "$seed" > README.md
record 'Start the service'
printf '%s\n' '' 'The model has one bias.' >> README.md
record 'Describe the model'
printf '{"bias": 0.0}\n' > model.json
record 'Lower the bias'
printf '%s\n' 'fastapi==0.165.0' 'uvicorn==0.54.0' > requirements.txt
record 'Pin the packages'
git -c core.hooksPath=/dev/null push -q -u origin main
printf '{"tuned": %d}\n' $((seed * 7919 % 100000)) > weights.json
record 'Tune the weights'
git reset -q --hard HEAD~1
printf '%s\n' 'date' > report.sh
printf 'ACCESS_TOKEN=token-%d\n' $((seed * 7927 % 100000)) > .env
record 'Add the night report'
printf '%s\n' '' "Asked by $seed people." >> README.md
printf '%s\n' 'prnt("oops")' > app.py
