#!/bin/bash
say_usage() { printf '%s\n' "Usage: $0 [-m METRIC] FILE LIMIT"; }
die() { echo "$*" >&2; exit 2; }

metric=⟦metric⟧
case ${1:-} in
  -h|--help) say_usage; exit 0 ;;
  -m) metric=${2:-}; shift 2 || { say_usage >&2; exit 2; } ;;
  -*) say_usage >&2; exit 2 ;;
esac
[[ $# == 2 ]] || { say_usage >&2; exit 2; }
[[ -r $1 ]] || die "cannot read $1"
value=
while read -r name number; do
  if [[ $name == "$metric" ]]; then value=$number; fi
done < "$1"
[[ -n $value ]] || die "$metric is not in $1"
if (( $(awk "BEGIN { print ($value <= $2) }") )); then exit 0; else exit 1; fi
