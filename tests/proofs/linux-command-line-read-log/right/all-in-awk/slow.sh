awk -v limit=⟦slow⟧ '$4 == "/predict" && $6 + 0 > limit { n++ } END { print n }' service.log
