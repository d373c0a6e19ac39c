set -u
cd project
git branch ⟦topic⟧
git switch ⟦topic⟧
python3 - <<'END'
from pathlib import Path
path = Path("settings.ini")
path.write_text(path.read_text().replace("log = info", "log = ⟦level⟧"))
END
git commit -am "Quiet log"
git switch main
git merge retries
sed -e '/^<<<<<<</,/^=======/d' -e '/^>>>>>>>/d' settings.ini > ../solved
cat ../solved > settings.ini
git add settings.ini
git merge --continue
git merge ⟦topic⟧
