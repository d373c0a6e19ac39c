awk '$4 == "/predict"' service.log | wc -l
