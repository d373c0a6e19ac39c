pid=$(bash who.sh "$1")
(sleep 5; kill -KILL "$pid") 2> /dev/null &
watchdog=$!
kill "$pid"
while kill -0 "$pid" 2> /dev/null; do sleep 0.2; done
kill "$watchdog" 2> /dev/null
true
