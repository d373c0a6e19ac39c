#!/usr/bin/env bash
set -u
incoming=$1
report=$2/$RUN_DATE.txt
test -d "$incoming" || { echo "report.sh: no folder $incoming" >&2; exit 3; }
lines=$(
  total=0
  while IFS= read -r -d '' file; do
    text=$(gzip -dc "$file") || exit 1
    rows=$(($(printf '%s\n' "$text" | wc -l) - 1))
    echo "${file##*/} $rows"
    total=$((total + rows))
  done < <(find "$incoming" -name '*.csv.gz' -print0)
  echo "total $total"
) || { echo "report.sh: a file in $incoming is broken" >&2; exit 1; }
printf '%s\n' "$lines" > "$report"
