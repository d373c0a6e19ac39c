awk '$5 ~ /^5/ { print; exit }' service.log
