import uvicorn
from app import app

config = uvicorn.Config(app, host="localhost", port=⟦port⟧, log_level="warning")
uvicorn.Server(config).run()
