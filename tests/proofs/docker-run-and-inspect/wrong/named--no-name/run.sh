docker run -d \
  -p 127.0.0.1:⟦outside-port⟧:⟦port⟧ \
  -e MODEL_PATH=/models/model.json \
  -v ⟦delivery-time⟧-models:/models \
  ⟦delivery-time⟧
