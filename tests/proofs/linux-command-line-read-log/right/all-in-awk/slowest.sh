awk '{ print $6, $0 }' service.log | sort -n | tail -n 3 | sort -rn | cut -d' ' -f2-
