docker run -d --name ⟦delivery-time⟧-⟦color⟧ \
  -p 127.0.0.1:⟦port⟧:⟦outside-port⟧ \
  -e MODEL_PATH=/models/model.json \
  -v ⟦delivery-time⟧-models:/models \
  ⟦delivery-time⟧
