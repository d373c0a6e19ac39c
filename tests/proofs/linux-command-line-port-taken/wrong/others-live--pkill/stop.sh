pid=$(bash who.sh "$1")
pkill -f cli-holder.py
sleep 4
kill -9 "$pid" 2> /dev/null
sleep 0.5
