cd project
git checkout -b ⟦topic⟧
sed -i.bak 's/log = info/log = ⟦level⟧/' settings.ini && rm settings.ini.bak
git add settings.ini
git commit -m "Less noise"
git checkout main
git merge --no-ff -m "Merge the quieter log" ⟦topic⟧
git merge -X theirs -m "Merge retries" retries
