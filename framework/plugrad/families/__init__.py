"""What operators share. A family gives its members their calling convention, their shape and dtype
rule and the care for scalars and promotion; an operator says only its difference. Batching rules
hang on the family's name (`plugrad.batching`).

A decorated contract becomes the function that users call, with `.vjp(...)` to state its derivative.
"""

from plugrad.families.declaration import since as since
from plugrad.families.delivery import deliver as deliver
from plugrad.families.delivery import delivers as delivers
from plugrad.families.elementwise import elementwise as elementwise
from plugrad.families.in_place import in_place as in_place
from plugrad.families.operands import as_operand as as_operand
from plugrad.families.plain import composite as composite
from plugrad.families.plain import primitive as primitive
from plugrad.families.plain import view as view
from plugrad.families.reduction import reduction as reduction
