cd project
git init -q
git checkout -q -b trunk
printf '%s\n' '.env' '__pycache__' 'data/' '!docs/data.md' > .gitignore
git add -A
git commit -qm "Service as it is"
sed 's/"version": 1/"version": ⟦version⟧/' model.json > model.new
mv model.new model.json
echo "Start it with: uvicorn app:app" >> README.md
git stash -q -- model.json
git commit -qam "Explain the start"
git stash pop -q
git commit -qam "Version ⟦version⟧"
git tag ⟦tag⟧ HEAD~2
