"""Odd messages, and what the contract's text says must become of each.

``poison.CASES`` has them all. The expected reasons were reasoned by hand from
section 6, never computed; each case says why.
"""
