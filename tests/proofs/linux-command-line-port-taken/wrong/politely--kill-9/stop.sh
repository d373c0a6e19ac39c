kill -9 "$(bash who.sh "$1")"
sleep 1
