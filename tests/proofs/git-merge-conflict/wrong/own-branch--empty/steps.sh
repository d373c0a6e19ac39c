set -e
cd project
git branch ⟦topic⟧
sed 's/^log = .*/log = ⟦level⟧/' settings.ini > settings.new
mv settings.new settings.ini
git commit -q -a -m "Quiet the log"

git merge retries || true
cat > settings.ini <<'END'
[service]
port = 8000
log = ⟦level⟧
workers = 2

[calls]
timeout = ⟦theirs⟧
retries = 3
backoff = 1
END
git add settings.ini
git commit -q --no-edit
