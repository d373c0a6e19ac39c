#!/usr/bin/env bash
set -eu
mine=${1:-4}
theirs=${2:-9}
rm -rf project
git init -q -b main project
cd project
git config core.autocrlf false
record() {
  git add -A -f .
  git -c user.name=Sato -c user.email=sato@example.com -c commit.gpgSign=false -c core.hooksPath=/dev/null commit -q -m "$1"
}
settings() {
  printf '%s\n' '[service]' 'port = 8000' 'log = info' 'workers = 2' '' '[calls]' "$@" 'backoff = 1' > settings.ini
}
printf '%s\n' 'print("ready")' > app.py
settings 'timeout = 2'
record 'Start the service'
git switch -q -c retries
settings "timeout = $theirs" 'retries = 3'
printf '%s\n' 'def again(call):' '    return call() or call()' > retry.py
record 'Retry calls that fail'
git switch -q main
settings "timeout = $mine"
printf '%s\n' "- timeout $mine" > CHANGES.md
record 'Raise the timeout'
