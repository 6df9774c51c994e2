"""Every package of this workspace. //test/lint:packages_test says which line to add when a package is missing."""

PACKAGES = [
    "",
    "base",
    "bazel",
    "datachannel",
    "dtls",
    "netsim",
    "sctp",
    "sctp/packet",
    "stun",
    "test/lint",
    "third_party",
    "transport",
]
