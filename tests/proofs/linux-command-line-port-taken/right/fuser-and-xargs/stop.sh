bash who.sh "$1" | xargs kill -INT
sleep 5
fuser -k -KILL "$1/tcp" > /dev/null 2>&1
sleep 1
