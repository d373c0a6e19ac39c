awk '$4 == "/predict" { n++ } END { print n + 0, "requests" }' service.log
