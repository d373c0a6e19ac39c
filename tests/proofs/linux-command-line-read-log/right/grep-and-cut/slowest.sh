sort -t ' ' -rnk6 service.log | sed 3q
