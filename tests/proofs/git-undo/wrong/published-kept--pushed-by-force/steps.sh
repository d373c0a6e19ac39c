set -e
cd project
git branch rescue HEAD@{2}
git restore app.py
git reset -q HEAD~1
git add report.sh
git commit -q -m "Add the night report"
git revert --no-edit HEAD~2
git push -q --force origin HEAD~4:main
