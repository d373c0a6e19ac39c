cd project
git fsck --lost-found > /dev/null 2>&1
git show HEAD:app.py > app.py
git reset -q origin/main
git checkout -q -b rescue HEAD
git cherry-pick -q HEAD@{3} 2> /dev/null || git cherry-pick "$(git log -g --all --format=%H --grep='Tune the weights' | head -n 1)"
git checkout -q main
git show origin/main~2:model.json > model.json
git add model.json
git commit -q -m "Bring the old bias back"
git add report.sh
git commit -q -m "Add the night report"
