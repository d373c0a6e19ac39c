docker run -d --name ⟦delivery-time⟧-⟦color⟧ \
  -p 127.0.0.1:⟦outside-port⟧:⟦port⟧ \
  -v ⟦delivery-time⟧-models:/models \
  ⟦delivery-time⟧ -e MODEL_PATH=/models/model.json
