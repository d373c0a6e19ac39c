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

if ! value=$(awk -v name="$metric" '$1 == name { print $2 }' "$1") || [ -z "$value" ]; then
  echo "gate.sh: no $metric in $1" >&2
  exit 2
fi
echo "$metric $value, limit $2"
if [ "$value" -le "$2" ]; then exit 0; else exit 1; fi
