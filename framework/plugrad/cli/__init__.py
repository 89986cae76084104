"""The command `plugrad`. Nothing imports this package, so that it may name rich and typer at the
top.
"""

from plugrad.cli.app import app as app
from plugrad.cli.app import main as main
