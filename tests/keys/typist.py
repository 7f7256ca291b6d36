"""Runs a program at a terminal of its own and types what it asks for.

    typist.py PROMPT ANSWER [PROMPT ANSWER ...] -- PROGRAM ARGUMENT...

Each answer is typed once its prompt has appeared. What appears on the terminal goes to standard output; the exit
code is the program's, or 97 when it ended without asking. A program that asks for something else is ended after a minute.
"""

import os
import pty
import signal
import sys
import termios

# Ends this process; the program loses its terminal then.
signal.alarm(60)
split = sys.argv.index("--")
answers, program = sys.argv[1:split], sys.argv[split + 1 :]
child, terminal = pty.fork()
if child == 0:
    os.execvp(program[0], program)

shown = b""


def read_on():
    """False at the end: Linux reports the last close of a terminal's other side as an error."""
    global shown
    try:
        more = os.read(terminal, 4096)
    except OSError:
        return False
    sys.stdout.buffer.write(more)
    sys.stdout.flush()
    shown += more
    return bool(more)


missing = False
for prompt, answer in zip(answers[::2], answers[1::2]):
    while prompt.encode() not in shown:
        if not read_on():
            missing = True
            break
    shown = shown.split(prompt.encode(), 1)[-1]
    if not missing:
        # Prompts appear a moment before the terminal stops showing what is typed.
        while termios.tcgetattr(terminal)[3] & termios.ECHO:
            os.sched_yield()
        os.write(terminal, answer.encode() + b"\n")
while read_on():
    pass
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sys.exit(97 if missing and code == 0 else code)
