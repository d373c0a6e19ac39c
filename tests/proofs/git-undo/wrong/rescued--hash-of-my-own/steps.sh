set -e
cd project
git branch rescue 23608f1 || true
git restore app.py
git reset -q HEAD~1
git add report.sh
git commit -q -m "Add the night report"
git revert --no-edit HEAD~2
