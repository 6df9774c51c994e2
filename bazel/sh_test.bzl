"""sh_test for our own tests. Not in defs.bzl, so that a workspace that depends on us needs no @rules_shell."""

load("@rules_shell//shell:sh_test.bzl", "sh_test")

def jsp_sh_test(name, size = "small", **kwargs):
    """sh_test, loaded from @rules_shell as Bazel 9 demands.

    Args:
      name: the target's name.
      size: as of sh_test.
      **kwargs: as of sh_test.
    """
    sh_test(name = name, size = size, **kwargs)
