# SPDX-License-Identifier: Apache-2.0
"""What the debug log says of a failure in the kernel: the calls that led to it, innermost last.

Python's traceback module is not used: it costs a fifth of a start, and opens source files, which the jail punishes.
"""

MAX_CALLS = 50
MAX_CAUSES = 5


def failure_text(error):
    """Several lines: where the exception came from, itself, and what it was raised in the handling of."""
    lines = []
    for _ in range(MAX_CAUSES):
        lines += calls(error)
        lines.append(f"{type(error).__name__}: {error}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if error is None:
            break
        lines.append("while handling:")
    return "\n".join(lines)


def calls(error):
    """One line a call."""
    found, step = [], error.__traceback__
    while step is not None and len(found) < MAX_CALLS:
        code = step.tb_frame.f_code
        found.append(f"  {code.co_filename}:{step.tb_lineno} in {code.co_name}")
        step = step.tb_next
    return found
