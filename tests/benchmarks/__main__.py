"""Measurements, each beside its limit in the same run, on a durable database.

make bench                                      all of them
make bench ARGS="create_batch --rounds 20"      one of them
"""

import argparse

from tests.benchmarks import back_office, create_batch, dialing, loading, placing, reading

BENCHMARKS = {
    "create_batch": create_batch.run,
    "add_calls": loading.run_add_calls,
    "upload": loading.run_upload,
    "dialing": dialing.run,
    "placing": placing.run,
    "lists": reading.run_lists,
    "export": reading.run_export,
    "back_office": back_office.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--rounds", type=int, help="of each benchmark; each has a default")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    for name in arguments.names or BENCHMARKS:
        print(f"--- {name}", flush=True)
        BENCHMARKS[name](**({"rounds": arguments.rounds} if arguments.rounds else {}))


if __name__ == "__main__":
    main()
