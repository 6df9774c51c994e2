#include "bench/natlab/netns_runner.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <utility>
#include <vector>

#include "bench/natlab/host_capture.h"
#include "bench/natlab/kernel_lab.h"
#include "bench/natlab/netns_run.h"
#include "bench/natlab/netns_server.h"
#include "bench/natlab/run_result.h"

namespace jsp::natlab {
namespace {

struct Task {
  const NetnsOptions& netns;
  const CellOptions& options;
};

void Say(int out, const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t size = ::write(out, rest.data(), rest.size());
    if (size <= 0) return;
    rest.remove_prefix(static_cast<size_t>(size));
  }
}

using Captures = std::vector<std::unique_ptr<HostCapture>>;

// None when none are asked for.
Expected<Captures, std::string> StartCaptures(const CellOptions& options, const KernelLab& lab) {
  Captures captures;
  if (options.capture.empty()) return captures;
  for (const auto& [host, side] : {std::pair{&lab.a_host(), "-a.pcapng"}, {&lab.b_host(), "-b.pcapng"}}) {
    auto capture = HostCapture::Start(*host, "eth0", options.capture + side);
    if (!capture) return Unexpected(capture.error());
    captures.push_back(*std::move(capture));
  }
  return captures;
}

// To captures that have ended; what went wrong, or nothing. A peer that writes none has a capture without.
std::string AddKeys(const CellOptions& options) {
  for (const std::string side : {"-a", "-b"}) {
    const std::string file = KeyFile(options, side);
    std::ostringstream lines;
    if (!(lines << std::ifstream(file, std::ios::binary).rdbuf())) continue;
    const auto added = HostCapture::AddKeys(options.capture + side + ".pcapng", lines.str());
    std::error_code ignored;
    std::filesystem::remove(file, ignored);
    if (!added) return added.error();
  }
  return {};
}

RunResult RunIn(const Task& task) {
  RunResult result;
  auto lab = KernelLab::Build(task.options);
  if (!lab) {
    result.why = "no lab: " + lab.error();
    return result;
  }
  const auto server = NetnsServer::Start(task.netns, task.options, *lab);
  if (!server) {
    result.why = "the TURN server: " + server.error();
    return result;
  }
  Expected<Captures, std::string> captures = StartCaptures(task.options, *lab);
  result = RunInLab(task.netns, task.options, *lab, server->ca_pem());
  if (!captures) {
    result.capture_problem = captures.error();
  } else if (!captures->empty()) {
    captures->clear();
    result.capture_problem = AddKeys(task.options);
  }
  return result;
}

void WorkInside(void* context, int out) { Say(out, ToJson(RunIn(*static_cast<const Task*>(context)))); }

// All kinds of things that a run needs: namespaces, veth pairs, nftables.
void TryInside(void*, int out) {
  CellOptions options;
  options.a = netsim::NatType::kPort;
  options.b = netsim::NatType::kSymmetricOpen;
  const auto lab = KernelLab::Build(options);
  Say(out, lab ? "ok" : lab.error());
}

}  // namespace

Expected<void, std::string> CheckNetns(const Network& network, std::span<const IpAddress::Family> families,
                                       std::span<const netsim::NatType> types) {
  for (const auto family : families) {
    if (const auto able = KernelLab::Supports(network, family, types); !able) return able;
  }
  const auto said = RunIsolated(&TryInside, nullptr);
  if (!said) return Unexpected(said.error());
  if (*said != "ok") return Unexpected(*said);
  return {};
}

RunResult RunCellInNamespaces(const NetnsOptions& netns, const CellOptions& options) {
  Task task{netns, options};
  const auto said = RunIsolated(&WorkInside, &task);
  RunResult result;
  if (!said) {
    result.why = said.error();
    return result;
  }
  if (auto parsed = ParseRunResult(*said)) return *std::move(parsed);
  result.why = "the lab's process ended early";
  return result;
}

}  // namespace jsp::natlab
