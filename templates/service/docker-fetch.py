import hashlib
import json
import sys
from pathlib import Path

token = Path(sys.argv[1]).read_text(encoding="utf-8").strip()
if len(token) < 8:
    sys.exit("401: token refused")
receipt = hashlib.sha256(token.encode()).hexdigest()[:16]
days = ["2026-12-31", "2027-01-01", "2027-01-02"]
Path(sys.argv[2]).write_text(json.dumps({"days": days, "receipt": receipt}), encoding="utf-8")
