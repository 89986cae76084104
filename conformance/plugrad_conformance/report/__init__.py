"""Drawings of results: a table for the terminal, a page for the browser."""

from plugrad_conformance.report.page import write_page as write_page
from plugrad_conformance.report.table import print_result as print_result
from plugrad_conformance.report.table import table_text as table_text
