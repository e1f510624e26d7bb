"""What an operator can do, as plain functions over the ledger: a body goes in, a document comes out.

The HTTP routes and the command line both call these, so both say the same. Whatever cannot be done is an
`AdminProblem`, or the ledger's own error, which `problems.translated` turns into one; then nothing was changed.
"""
