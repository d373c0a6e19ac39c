grep -c /predict service.log
