#!/usr/bin/env python3
"""As much of wget as a health check calls."""

import sys
import urllib.request

address = next(word for word in sys.argv[1:] if not word.startswith("-"))
reply = urllib.request.urlopen(address if "://" in address else f"http://{address}", timeout=5)
sys.stdout.write(reply.read().decode())
