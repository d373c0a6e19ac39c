#!/usr/bin/env bash
set -euo pipefail
cd project
git init
git config user.name "Suzuki"
git config user.email suzuki@example.com
cat > .gitignore <<'END'
# secrets
**/.env
*.pyc
**/__pycache__/**
data/*
!data/.gitkeep
END
git add .gitignore
git commit -m "Say what stays out"
git add README.md app.py model.json requirements.txt
git commit -m "Add the service"
git tag -a ⟦tag⟧ -m "The first state"
sed 's/"version": 1/"version": ⟦version⟧/' model.json > model.new
mv model.new model.json
echo "Start it with: uvicorn app:app" >> README.md
git commit -m "Use the new model" model.json
git commit -am "README: start command"
