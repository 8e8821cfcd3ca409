"""Graph algorithms on neighbor lists: the hints and outputs of those on matrices, in time of the edges.

A generator here takes `neighbors`, [N, K] int64, the neighbors of each node in ascending order, and `A`,
[N, K], the weights of the edges to them, 0 where a slot is not used or holds no edge in this direction.
Otherwise it matches the one of `nar.algorithms.graphs` of the same name, with which tests compare it.
"""
