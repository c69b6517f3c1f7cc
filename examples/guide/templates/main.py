import sys

print("main", *sys.argv[1:])
