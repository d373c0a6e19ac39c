echo 253
