count=0
while read -r time client method path status took; do
  if [ "$path" = /predict ] && [ "$took" -gt ⟦slow⟧ ]; then count=$((count + 1)); fi
done < service.log
echo "$count"
