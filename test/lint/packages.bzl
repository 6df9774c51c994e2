"""Every package of this workspace. //test/lint:packages_test says which line to add when a package is missing."""

PACKAGES = [
    "",
    "base",
    "bazel",
    "bench/micro",
    "bench/natlab",
    "datachannel",
    "dtls",
    "ice",
    "netsim",
    "sctp",
    "sctp/association",
    "sctp/packet",
    "sctp/rx",
    "sctp/tx",
    "stun",
    "test/lint",
    "third_party",
    "transport",
]
