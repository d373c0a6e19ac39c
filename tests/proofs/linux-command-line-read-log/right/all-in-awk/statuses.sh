awk '{ n[$5]++ } END { for (s in n) print s ": " n[s] }' service.log | sort -t: -k2,2nr
