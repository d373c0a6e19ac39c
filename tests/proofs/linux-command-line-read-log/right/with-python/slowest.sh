python3 - <<'END'
lines = open("service.log").read().splitlines()
print("\n".join(sorted(lines, key=lambda line: -int(line.split()[-1]))[:3]))
END
