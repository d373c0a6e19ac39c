set -e
cd project
git switch -q -c ⟦topic⟧
sed 's/^log = .*/log = ⟦level⟧/' settings.ini > settings.new
mv settings.new settings.ini
git commit -q -a -m "Quiet the log"
git switch -q main
git merge -q ⟦topic⟧

git merge retries || true
git checkout --ours settings.ini
git add .
git commit -q --no-edit
