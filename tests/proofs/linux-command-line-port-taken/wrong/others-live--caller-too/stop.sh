kill $(lsof -t -i :"$1")
sleep 4
kill -9 $(lsof -t -iTCP:"$1" -sTCP:LISTEN) 2> /dev/null
sleep 0.5
