pid=$(bash who.sh "$1")
kill "$pid"
sleep 4
pkill -KILL python
sleep 0.5
