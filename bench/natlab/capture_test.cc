#include "bench/natlab/capture.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "bench/natlab/cell_runner.h"

namespace jsp::natlab {
namespace {

using netsim::NatType;

// Everything that tshark says of a file, with the octets, decrypted where it has the keys.
std::string Tshark(const std::string& file) {
  const std::string command =
      "tshark -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -x -V -r '" + file + "' 2>/dev/null";
  std::string text;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  char part[4096];
  for (size_t size; (size = std::fread(part, 1, sizeof(part), pipe)) > 0;) text.append(part, size);
  ::pclose(pipe);
  return text;
}

TEST(CaptureTest, TsharkReadsADirectRunThroughItsDtls) {
  if (std::system("tshark -v >/dev/null 2>&1") != 0) {
    std::printf("JSP-SKIPPED: tshark is not installed\n");
    GTEST_SKIP() << "JSP-SKIPPED: tshark is not installed";
  }
  const std::string prefix = testing::TempDir() + "/run";
  const RunResult result = RunCell({.a = NatType::kPort, .b = NatType::kPublic, .capture = prefix});
  ASSERT_EQ(result.outcome, Outcome::kDirect) << result.why;
  for (const char* side : {"-a.pcapng", "-b.pcapng"}) {
    const std::string file = prefix + side;
    ASSERT_TRUE(std::filesystem::exists(file));
    const std::string said = Tshark(file);
    for (const char* part : {"Binding Success Response", "Client Hello", "Decrypted DTLS"}) {
      EXPECT_NE(said.find(part), std::string::npos) << part;
    }
    EXPECT_EQ(said.find("Malformed"), std::string::npos);
  }
}

// What goes to a relay over TCP is there too, each segment in its place.
TEST(CaptureTest, TsharkReadsARelayedRunThroughItsTcp) {
  if (std::system("tshark -v >/dev/null 2>&1") != 0) {
    std::printf("JSP-SKIPPED: tshark is not installed\n");
    GTEST_SKIP() << "JSP-SKIPPED: tshark is not installed";
  }
  const std::string prefix = testing::TempDir() + "/relayed";
  const RunResult result = RunCell({.a = NatType::kUdpBlocked, .b = NatType::kPort, .capture = prefix});
  ASSERT_EQ(result.outcome, Outcome::kRelay) << result.why;
  EXPECT_EQ(result.capture_problem, "");
  const std::string said = Tshark(prefix + "-a.pcapng");
  for (const char* part : {"Transmission Control Protocol", "Allocate Success Response", "Transport Layer Security"}) {
    EXPECT_NE(said.find(part), std::string::npos) << part;
  }
  for (const char* part : {"Malformed", "TCP Previous segment not captured", "TCP ACKed unseen segment",
                           "TCP Out-Of-Order", "Bad checksum"}) {
    EXPECT_EQ(said.find(part), std::string::npos) << part;
  }
}

TEST(CaptureTest, ACaptureThatCannotBeWrittenIsAProblemOfTheRun) {
  const RunResult result = RunCell({.a = NatType::kPort, .b = NatType::kPublic, .capture = "/nowhere/run"});
  EXPECT_EQ(result.outcome, Outcome::kDirect);
  EXPECT_EQ(result.capture_problem, "cannot write /nowhere/run-a.pcapng; cannot write /nowhere/run-b.pcapng");
}

TEST(CaptureTest, ThereIsNoneWithoutAsking) {
  EXPECT_EQ(RunCell({.a = NatType::kPort, .b = NatType::kPublic}).outcome, Outcome::kDirect);
  EXPECT_FALSE(std::filesystem::exists("-a.pcapng"));
}

TEST(CaptureTest, SaysWhatItCannotWrite) {
  netsim::World world(1);
  const auto host = world.AddHost(netsim::World::kInternet, IpAddress::V4(192, 0, 2, 1), {});
  const Capture capture(world, host);
  Rng rng = world.ForkRng();
  transport::PeerOptions options;
  options.certificate = *dtls::Certificate::Generate();
  transport::Peer peer(options, rng, world.now());
  const auto written = capture.Write("/nowhere/x.pcapng", peer);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error(), "cannot write /nowhere/x.pcapng");
}

}  // namespace
}  // namespace jsp::natlab
