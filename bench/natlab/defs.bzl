"""jsp_natlab_test: a build fails when NAT traversal regresses."""

_SCRIPT = """#!/bin/sh
# By jsp_natlab_test. One shard is one slice of the cells; each leaves its report for `jsp natlab merge`.
set -eu
shards="${{TEST_TOTAL_SHARDS:-1}}"
if [ -n "${{TEST_SHARD_STATUS_FILE:-}}" ]; then : >"$TEST_SHARD_STATUS_FILE"; fi
exec {arguments} --shard "${{TEST_SHARD_INDEX:-0}}" --shards "${{shards:-1}}" \\
  --json "${{TEST_UNDECLARED_OUTPUTS_DIR:-${{TEST_TMPDIR:-/tmp}}}}/natlab.json"
"""

def _quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"

def _natlab_test_impl(ctx):
    arguments = [ctx.executable._check.short_path, "--scenario"]
    arguments.append(ctx.file.file.short_path if ctx.file.file else ctx.attr.preset)
    for option, value in ctx.attr.options.items():
        arguments += ["--" + option, value]
    script = ctx.actions.declare_file(ctx.label.name + ".sh")
    ctx.actions.write(
        script,
        _SCRIPT.format(arguments = " ".join([_quoted(argument) for argument in arguments])),
        is_executable = True,
    )
    files = [ctx.executable._check] + ([ctx.file.file] if ctx.file.file else [])
    runfiles = ctx.runfiles(files = files).merge(ctx.attr._check[DefaultInfo].default_runfiles)
    return [DefaultInfo(executable = script, runfiles = runfiles)]

_natlab_test = rule(
    implementation = _natlab_test_impl,
    attrs = {
        "file": attr.label(allow_single_file = [".json"], doc = "A scenario."),
        "options": attr.string_dict(doc = "Of //bench/natlab:check, without the dashes."),
        "preset": attr.string(doc = "A preset's name, where there is no file."),
        "_check": attr.label(
            cfg = "target",
            default = Label("//bench/natlab:check"),
            executable = True,
        ),
    },
    test = True,
)

def jsp_natlab_test(
        name,
        scenario,
        max_none = None,
        min_direct = None,
        p95_connect_ms = None,
        runs = None,
        seed = None,
        **kwargs):
    """Runs a scenario of the NAT lab in virtual time; fails when a demand is not met, or a cell ends otherwise than it must.

    With shard_count, each shard runs a slice of the cells, and the demands hold for every slice, in which cells count alike.

    Args:
      name: the target's name.
      scenario: a label of a JSON file (bench/natlab/README.md#scenarios), or the name of a preset such as "home".
      max_none: the share of connections that may fail, such as "0.01"; weighted where the scenario names a mix.
      min_direct: the share of connections that have to be direct.
      p95_connect_ms: within how many milliseconds 95 % of the runs have their first message.
      runs: of each cell; as the scenario says if there is none.
      seed: the same seed gives the same report; 1 if there is none.
      **kwargs: as of every test: size, tags, shard_count, …
    """
    demands = {
        "max-none": max_none,
        "min-direct": min_direct,
        "p95-connect-ms": p95_connect_ms,
        "runs": runs,
        "seed": seed,
    }
    is_file = ":" in scenario or "/" in scenario or "." in scenario
    _natlab_test(
        name = name,
        file = scenario if is_file else None,
        options = {option: str(value) for option, value in demands.items() if value != None},
        preset = "" if is_file else scenario,
        **kwargs
    )
