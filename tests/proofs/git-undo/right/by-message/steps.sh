#!/bin/bash
set -euo pipefail
cd project
git checkout -- app.py
git rm -q --cached .env
echo .env > .gitignore
git add .gitignore
git commit -q --amend --no-edit
lost=$(git reflog --format='%H %gs' | grep 'Tune the weights' | head -n 1 | cut -d' ' -f1)
git switch -q -c rescue "$lost"
git switch -q main
git revert --no-edit ':/^Lower the bias'
git push -q origin main
