import uvicorn

def main():
    uvicorn.run("app:app", host="127.0.0.1", port=⟦port⟧)
