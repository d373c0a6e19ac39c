#!/usr/bin/env bash
set -eu
seed=${1:-1}
rm -rf release
mkdir -p release/bin
umask 022
printf '%s\r\n' \
  '#!/usr/bin/env bash' \
  'set -eu' \
  'cd "$(dirname "$0")/.."' \
  'line="port=${SERVE_PORT-unset} model=${MODEL_FILE-unset} label=${MODEL_LABEL-unset}"' \
  'echo "$line"' \
  '{ echo "$line" >> started.txt; }' > release/bin/serve
printf '%s\n' 'echo "v'"$seed"'"' > release/bin/version.sh
printf '%s\n' \
  '#' \
  "MODEL_FILE=models/model-$seed.json" \
  "MODEL_LABEL=\"candidate $seed\"" \
  "ACCESS_TOKEN=token-$((seed * 7919 % 100000))" > release/settings.env
printf '%s\n' "v$seed" > release/notes.txt
chmod 644 release/bin/serve release/bin/version.sh release/settings.env release/notes.txt
