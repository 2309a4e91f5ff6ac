# SPDX-License-Identifier: GPL-3.0-or-later
"""Goes the whole way on a simulated AWS: plan, deploy, again, break, fix, teardown, nothing left, restore, teardown.

make rehearse ARGS='-e @my-variables.yml'      # whatever is given goes to every ansible-playbook
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .controller import Rehearsal
from .journey import Journey, SurpriseError
from .ports import refuse_taken


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m rehearsal",
        usage="%(prog)s [ARGUMENT OF ansible-playbook ...]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _own, arguments = parser.parse_known_args()
    with tempfile.TemporaryDirectory(prefix="orthweb-rehearsal-") as folder:
        rehearsal = Rehearsal(Path(folder), echo=True)
        journey = Journey(rehearsal, arguments)
        try:
            refuse_taken()
            print("Starting the simulated account with its registry (about 30 seconds) ...", flush=True)
            rehearsal.start("--registry", "--instance-seconds=4", "--database-seconds=48")
            journey.go()
            verdict = "The rehearsal went through."
        except (SurpriseError, RuntimeError) as error:
            verdict = f"The rehearsal stopped. {error}"
        finally:
            rehearsal.stop()
    print("\n" + "\n".join([*journey.report, "", verdict]))
    return 0 if verdict.startswith("The rehearsal went") else 1


if __name__ == "__main__":
    sys.exit(main())
