awk '$5 >= 500' service.log
