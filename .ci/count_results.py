#!/usr/bin/env python3
"""Reads Bazel's build event file and prints `N passed, N failed, N skipped` as the last line.

A target counts as skipped when it passed without having tested anything and said so: a line that starts with
`JSP-SKIPPED:` in its log, or a GoogleTest run in which every test was skipped. The reasons are printed above the last
line, so that a skip is never silent. What could not be built counts as failed. The end of a failed test's log
is printed too. Exit code 1 when anything failed.
"""

import argparse
import json
import pathlib
import re
import sys
import urllib.parse

PASSED = ("PASSED", "FLAKY")
LOG_LINES = 60  # of a failed test's log: where the log is, nobody may be able to look
SKIP_LINE = re.compile(r"^JSP-SKIPPED:\s*(.*)$", re.MULTILINE)
GTEST_SKIPPED = re.compile(r"^\[  SKIPPED \] (\d+) tests?", re.MULTILINE)
GTEST_PASSED = re.compile(r"^\[  PASSED  \] (\d+) tests?", re.MULTILINE)
GTEST_REASON = re.compile(r"^(?:.*: )?Skipped\n(.*)$", re.MULTILINE)


class Results:
    """What the build events say, by target label."""

    def __init__(self):
        self.statuses = {}  # test label -> overall status
        self.logs = {}  # test label -> paths of test.log, one a shard
        self.not_built = set()

    def read(self, lines):
        for line in lines:
            if line.strip():
                self._read_event(json.loads(line))

    def _read_event(self, event):
        identity = event.get("id", {})
        if "testSummary" in identity and "testSummary" in event:
            self.statuses[identity["testSummary"]["label"]] = event["testSummary"]["overallStatus"]
        elif "testResult" in identity and "testResult" in event:
            for output in event["testResult"].get("testActionOutput", []):
                if output["name"] == "test.log":
                    path = urllib.parse.unquote(urllib.parse.urlparse(output.get("uri", "")).path)
                    self.logs.setdefault(identity["testResult"]["label"], []).append(path)
        elif "targetCompleted" in identity:
            if not event.get("completed", {}).get("success", False):
                self.not_built.add(identity["targetCompleted"]["label"])
        elif "aborted" in event and "pattern" in identity:
            self.not_built.update(identity["pattern"]["pattern"])

    def failed(self):
        bad_tests = {label for label, status in self.statuses.items() if status not in PASSED}
        return bad_tests | self.not_built

    def passed(self):
        return {label for label, status in self.statuses.items() if status in PASSED} - self.not_built


def skip_reason(logs):
    """Why the whole target was skipped, or None when it tested something. `logs` are the texts of its shards."""
    reasons = []
    for text in logs:
        line = SKIP_LINE.search(text)
        if line:
            reasons.append(line.group(1))
        elif GTEST_SKIPPED.search(text):
            passed = GTEST_PASSED.search(text)
            if passed and int(passed.group(1)) > 0:
                return None
            reason = GTEST_REASON.search(text)
            reasons.append(reason.group(1).strip() if reason else "every test was skipped")
        elif not re.search(r"^\[  PASSED  \] 0 tests", text, re.MULTILINE):
            return None
    return reasons[0] if reasons else None


def read_logs(paths):
    return [pathlib.Path(path).read_text(errors="replace") for path in paths if pathlib.Path(path).is_file()]


def print_log_ends(label, paths):
    """The end of each shard's log of a failed test."""
    for text in read_logs(paths):
        lines = text.splitlines()
        print("---- %s: the last %d of %d lines" % (label, min(LOG_LINES, len(lines)), len(lines)))
        print("\n".join(lines[-LOG_LINES:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bazel-status", type=int, required=True, help="exit code of bazel test")
    parser.add_argument("--step", action="append", default=[], help="NAME=STATUS of a step outside bazel test")
    parser.add_argument("events", type=pathlib.Path)
    options = parser.parse_args()

    results = Results()
    if options.events.is_file():
        results.read(options.events.read_text().splitlines())
    passed, failed = results.passed(), results.failed()
    for step in options.step:
        name, status = step.rsplit("=", 1)
        (passed if status == "0" else failed).add(name)
    # 3 is "a test failed"; 4 is "no test to run", which is right for a target that only builds. Anything else without a
    # target that could not be built is Bazel's own failure: a BUILD file that does not load leaves no event behind.
    if options.bazel_status not in (0, 3, 4) and not results.not_built:
        failed.add("bazel (exit code %d)" % options.bazel_status)

    for label in sorted(failed):
        print_log_ends(label, results.logs.get(label, []))
    skipped = {}
    for label in sorted(passed):
        reason = skip_reason(read_logs(results.logs.get(label, [])))
        if reason is not None:
            skipped[label] = reason
    for label, reason in skipped.items():
        print("skipped: %s: %s" % (label, reason))
    for label in sorted(failed):
        print("failed:  %s" % label)
    print("%d passed, %d failed, %d skipped" % (len(passed) - len(skipped), len(failed), len(skipped)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
