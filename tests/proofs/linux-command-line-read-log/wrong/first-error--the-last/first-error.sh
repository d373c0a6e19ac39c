awk '$5 >= 500' service.log | tail -n 1
