"""For the whole kit on the strict backend, from this folder:

pytest -p strict.plugin --pyargs plugrad_conformance --backend strict
"""

from strict import offer

offer()
