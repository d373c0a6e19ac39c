ss -ltnp | awk -v port=":$1" 'index($4, port) && substr($4, length($4) - length(port) + 1) == port' | sed 's/.*pid=\([0-9]*\).*/\1/'
