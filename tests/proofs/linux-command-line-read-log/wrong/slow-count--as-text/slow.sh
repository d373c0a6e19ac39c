awk '$4 == "/predict" && $6 > "⟦slow⟧"' service.log | wc -l
