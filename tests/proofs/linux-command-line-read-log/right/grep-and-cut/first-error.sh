grep -n -m 1 -E ' 5[0-9]{2} [0-9]+$' service.log
