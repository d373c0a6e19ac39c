cat service.log | cut -d ' ' -f 4 | grep -x /predict | wc -l
