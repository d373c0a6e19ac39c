kill "$(bash who.sh "$1")"
