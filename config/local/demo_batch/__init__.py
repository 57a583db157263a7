"""`make demo-batch`: a batch played against the running stack, over HTTP as a customer would.

Apart from the file with the demo's credentials it knows nothing that a customer does not: no database,
no Django.
"""
