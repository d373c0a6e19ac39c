sort -k6,6r service.log | head -n 3
