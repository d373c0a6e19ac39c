cut -d' ' -f5 service.log | uniq -c | sort -rn
