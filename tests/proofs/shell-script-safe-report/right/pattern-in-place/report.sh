#!/bin/bash
set -o errexit -o nounset -o pipefail

source_folder="$1"
target="$2/${RUN_DATE:?set RUN_DATE}.txt"
if [[ ! -d "$source_folder" ]]; then
  echo "no folder $source_folder" >&2
  exit 1
fi
scratch=$(mktemp)
trap 'rm -f "$scratch"' EXIT
total=0
for file in "$source_folder"/*.csv.gz; do
  gzip -t "$file"
  rows=$(( $(zcat < "$file" | wc -l) - 1 ))
  printf '%s %d\n' "$(basename "$file")" "$rows" >> "$scratch"
  total=$(( total + rows ))
done
printf 'total %d\n' "$total" >> "$scratch"
cp "$scratch" "$target"
echo "report ready: $target"
