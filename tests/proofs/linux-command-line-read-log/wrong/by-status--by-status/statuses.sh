cut -d' ' -f5 service.log | sort | uniq -c
