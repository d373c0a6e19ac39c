ss -Hltnp "sport = :$1" | grep -o 'pid=[0-9]*' | cut -d= -f2
