import subprocess
import sys

command = [sys.executable, "-m", "uvicorn", "app:app", "--port", "⟦port⟧"]
sys.exit(subprocess.call(command))
