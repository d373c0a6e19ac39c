set -euo pipefail
grep -cE ' POST /predict [0-9]' service.log
