set -e
cd project
git branch rescue HEAD@{2}
git restore app.py
git reset -q HEAD~1
git add report.sh
git commit -q -m "Add the night report"
git stash -q
git rebase -q --onto HEAD~3 HEAD~2 main
git stash pop -q
