#!/usr/bin/env python3
"""Medians of what bench/compare.sh collected, and jsp's ratio to the best of the others.

usage: table.py FOLDER SIZE...      FOLDER has STACK.SIZE and STACK.idle, a line of JSON for each run
"""

import json
import pathlib
import statistics
import sys

STACKS = ('jsp', 'libdatachannel', 'libwebrtc', 'usrsctp')


def runs(folder, name):
    path = folder / name
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def median(documents, value):
    values = [value(d) for d in documents]
    return statistics.median(values) if values else None


def row(title, values, better):
    """`better`: max or min, of what the others reach."""
    others = [v for v in values[1:] if v is not None]
    cells = ['-' if v is None else '%.1f' % v for v in values]
    ratio = '-'
    if others and values[0] is not None and min(values[0], *others) > 0:
        best = better(others)
        ratio = '%.1f x' % (values[0] / best if better is max else best / values[0])
    print('%-34s' % title + ''.join('%16s' % cell for cell in cells) + '%12s' % ratio)


def main(arguments):
    folder, sizes = pathlib.Path(arguments[0]), arguments[1:]
    print('%-34s' % '' + ''.join('%16s' % stack for stack in STACKS) + '%12s' % 'jsp better')
    for size in sizes:
        by_stack = [runs(folder, '%s.%s' % (stack, size)) for stack in STACKS]
        row('%s octets: MB/s' % size, [median(d, lambda r: r['mbytes_per_s']) for d in by_stack], max)
        row('%s octets: 1000 messages/s' % size, [median(d, lambda r: r['messages_per_s'] / 1e3) for d in by_stack], max)
        row('%s octets: CPU s per GB' % size, [median(d, lambda r: r['cpu_s_per_gb']['both']) for d in by_stack], min)
    idle = [runs(folder, stack + '.idle') for stack in STACKS]
    row('idle connection: KiB of memory',
        [median(d, lambda r: r['idle']['rss_bytes_per_connection'] / 1024) for d in idle], min)


if __name__ == '__main__':
    main(sys.argv[1:])
