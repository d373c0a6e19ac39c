fuser "$1/tcp" 2> /dev/null
