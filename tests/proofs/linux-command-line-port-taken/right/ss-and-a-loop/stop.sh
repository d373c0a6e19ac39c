set -u
pid=$(bash who.sh "$1") || exit 0
kill -s TERM -- "$pid"
for try in 1 2 3 4 5 6 7 8 9 10 11 12; do
  kill -0 "$pid" 2> /dev/null || exit 0
  sleep 0.5
done
kill -9 "$pid"
while kill -0 "$pid" 2> /dev/null; do sleep 0.1; done
