pid=$(bash who.sh "$1")
kill "$pid"
sleep 0.4
kill -9 "$pid"
sleep 0.3
