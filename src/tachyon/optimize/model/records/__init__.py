"""How elements lie in the graph: what each record's fields mean to an element, and back.

One module an element, with `told` (record → fields) and `record` (element → record).
"""
