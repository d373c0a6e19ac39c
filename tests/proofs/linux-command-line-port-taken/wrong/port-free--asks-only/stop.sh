kill "$(bash who.sh "$1")"
sleep 4
