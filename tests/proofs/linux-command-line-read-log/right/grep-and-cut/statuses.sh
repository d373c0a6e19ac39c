cut -d' ' -f5 service.log | sort -n | uniq -c | sort -k1,1nr -k2,2
