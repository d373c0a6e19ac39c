lsof -t -i :"$1" 
