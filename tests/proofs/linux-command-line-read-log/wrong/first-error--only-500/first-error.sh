awk '$5 == 500' service.log | head -n 1
