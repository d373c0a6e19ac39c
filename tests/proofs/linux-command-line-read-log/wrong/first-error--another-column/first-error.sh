grep -m 1 ' 50[0-9]' service.log
