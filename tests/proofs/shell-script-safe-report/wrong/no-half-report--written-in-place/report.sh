#!/usr/bin/env bash
set -euo pipefail
out=$2/$RUN_DATE.txt
total=0
cd -- "$1"
for file in *.csv.gz; do
  rows=$(gzip -dc -- "$file" | tail -n +2 | wc -l)
  echo "$file $((rows))"
  total=$((total + rows))
done > "$OLDPWD/$out"
echo "total $total" >> "$OLDPWD/$out"
echo "report ready: $out"
