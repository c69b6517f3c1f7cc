import sys

print("loads", " ".join(sys.argv[1:]))
