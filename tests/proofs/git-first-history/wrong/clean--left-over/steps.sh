set -e
cd project
git init -q -b main
printf '%s\n' .env __pycache__/ /data/ > .gitignore
git add .
git commit -q -m "Add the service"
git tag ⟦tag⟧

sed 's/"version": 1/"version": ⟦version⟧/' model.json > model.new
cp model.new model.json
echo "Start it with: uvicorn app:app" >> README.md
git add model.json
git commit -q -m "Release the next model"
git add README.md
git commit -q -m "Say how to start the service"
