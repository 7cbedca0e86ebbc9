"""Name, option and messages of the program that draws pictures."""

PROGRAM = "hstmosaic.products.pictures"
"""Its module."""
FOLLOW = "--follow"
"""Option by which it draws layers while a run goes on."""
END = "."
"""Line on its standard input after which the run has ended; no layer has this name."""
