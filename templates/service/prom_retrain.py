import os
import time


def retrain() -> int:
    time.sleep(0.2)
    if os.environ.get("NIGHT") == "bad":
        raise RuntimeError("the rows of today did not arrive")
    return 400
