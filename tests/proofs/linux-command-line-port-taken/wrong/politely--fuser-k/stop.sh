fuser -k "$1/tcp" > /dev/null 2>&1
sleep 1
