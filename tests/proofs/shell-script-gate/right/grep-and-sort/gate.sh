#!/usr/bin/env bash
set -euo pipefail
usage() {
  echo "usage: gate.sh [-m METRIC] FILE LIMIT"
  echo "  0 at most the limit, 1 above, 2 no decision"
}
metric=⟦metric⟧
while getopts :hm: flag; do
  case "$flag" in
    h) usage; exit ;;
    m) metric="$OPTARG" ;;
    ?) usage 1>&2; exit 2 ;;
  esac
done
shift "$((OPTIND-1))"
(( $# == 2 )) || { usage 1>&2; exit 2; }
line=$(grep "^$metric " "$1") || { echo "$1: no $metric" 1>&2; exit 2; }
value=${line#* }
smaller=$(printf '%s\n%s\n' "$value" "$2" | sort -n | head -n 1)
[ "$smaller" = "$value" ]
