docker run -d --name ⟦delivery-time⟧-⟦color⟧ \
  -p 127.0.0.1:⟦outside-port⟧:⟦port⟧ \
  -e MODEL_PATH=/models/model.json \
  -v ⟦delivery-time⟧-models:/models \
  ⟦delivery-time⟧ uvicorn main:app --host 0.0.0.0 --port ⟦port⟧
