awk '$5 != 200' service.log | head -n 1
