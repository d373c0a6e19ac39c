#!/usr/bin/env bash
set -euo pipefail
out=$2/$RUN_DATE.txt
total=0
home=$PWD
cd -- "$1" || true
shopt -s nullglob
for file in *.csv.gz; do
  rows=$(gzip -dc -- "$file" | tail -n +2 | wc -l)
  echo "$file $((rows))"
  total=$((total + rows))
done > "$home/$out.new"
echo "total $total" >> "$home/$out.new"
mv -- "$home/$out.new" "$home/$out"
echo "report ready: $out"
