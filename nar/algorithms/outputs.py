"""Writing the outputs of an algorithm."""

from numba.extending import register_jitable


@register_jitable
def assign(output, values):
    """`output[:] = values` for arrays of one length.

    numba takes two seconds to compile that line, most of them for the message of an error that never is.
    """
    for i in range(len(output)):
        output[i] = values[i]
