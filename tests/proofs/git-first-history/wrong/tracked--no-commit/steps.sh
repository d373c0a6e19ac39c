set -e
cd project
git init -q -b main
printf '%s\n' .env __pycache__/ /data/ > .gitignore
git add .
