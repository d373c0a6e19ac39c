pgrep -f cli-holder.py
