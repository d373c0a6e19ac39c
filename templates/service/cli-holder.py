import signal
import socket
import sys
import time
from pathlib import Path

port = int(sys.argv[1])
stubborn = "--stubborn" in sys.argv
asked = False


def ask(number, frame):
    global asked
    Path(f"asked-{port}.txt").write_text(f"{signal.Signals(number).name}\n", encoding="utf-8")
    asked = not stubborn


signal.signal(signal.SIGTERM, ask)
signal.signal(signal.SIGINT, ask)
signal.signal(signal.SIGHUP, ask)
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("127.0.0.1", port))
server.listen()
server.settimeout(0.1)
callers = []
while not asked:
    try:
        callers.append(server.accept()[0])
    except TimeoutError:
        pass
time.sleep(1)
Path(f"saved-{port}.txt").write_text("saved\n", encoding="utf-8")
