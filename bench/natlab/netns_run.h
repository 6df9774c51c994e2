#pragma once
#include <string>

#include "bench/natlab/kernel_lab.h"
#include "bench/natlab/netns_runner.h"
namespace jsp::natlab {

// Where a capture's keys are: the peer of that side, "-a" or "-b", writes them, as many programs do where SSLKEYLOGFILE
// says.
std::string KeyFile(const CellOptions& options, const std::string& side);

// One run: leads two peers through signalling, a connection and whatever else the cell asks for, in a lab that stands
// and whose server answers. Whom clients of that have to trust over TLS is `ca_pem`, if it does TLS.
RunResult RunInLab(const NetnsOptions& netns, const CellOptions& options, KernelLab& lab, const std::string& ca_pem);

}  // namespace jsp::natlab
