#!/usr/bin/env bash
set -euo pipefail

usage() { echo "usage: gate.sh [-m METRIC] FILE LIMIT"; }

metric=⟦metric⟧
while getopts hm: option; do
  case $option in
    h) usage; exit 0 ;;
    m) metric=$OPTARG ;;
    *) usage >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
if [ $# -ne 2 ]; then
  usage >&2
  exit 2
fi

if ! value=$(awk -v name="$metric" '$1 == name { print $2 }' "$1" 2> /dev/null) || [ -z "$value" ]; then
  exit 2
fi
echo "$metric $value, limit $2"
awk -v value="$value" -v limit="$2" 'BEGIN { exit !(value <= limit) }'
