cd project
git restore app.py
git stash -q
git branch rescue 'main@{2}'
git reset -q --soft HEAD~1
git restore --staged .env
mv .env ../kept.env
git commit -q -m "Night report"
git revert --no-edit HEAD~2
git stash pop -q
mv ../kept.env .env
git commit -q -m "README: who asked" README.md
