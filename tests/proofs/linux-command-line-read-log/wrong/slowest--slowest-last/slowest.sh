sort -k6,6n service.log | tail -n 3
