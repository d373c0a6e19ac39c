pid=$(lsof -t -iTCP:"$1" -sTCP:LISTEN)
kill "$pid"
sleep 4
kill -9 "$pid" 2> /dev/null
exit 0
