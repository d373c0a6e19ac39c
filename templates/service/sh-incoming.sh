#!/usr/bin/env bash
set -eu
seed=${1:-1}
rm -rf incoming reports
mkdir -p incoming reports
number=0
for name in harbor "north east" "old town" south; do
  number=$((number + 1))
  rows=$((20 + (seed * number * 7919) % 180))
  {
    echo "id,value"
    awk -v rows="$rows" 'BEGIN { for (n = 1; n <= rows; n++) print n "," n * 7 % 100 }'
  } | gzip -c > "incoming/$name.csv.gz"
done
