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

// What tshark prints of the packets that `filter` passes, a field each line.
std::string Tshark(const std::string& file, const std::string& filter, const std::string& field) {
  // WebRTC's SCTP is inside of DTLS on any port: the host's, 49152, in this world.
  const std::string command =
      "tshark -r '" + file + "' -d dtls.port==49152,sctp -Y '" + filter + "' -T fields -e " + field + " 2>/dev/null";
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
    EXPECT_NE(Tshark(file, "stun.type == 0x0001", "frame.number"), "") << "checks and questions to STUN";
    EXPECT_NE(Tshark(file, "dtls.handshake.type == 1", "frame.number"), "") << "a ClientHello";
    EXPECT_NE(Tshark(file, "sctp.chunk_type == 1", "sctp.init_initial_tsn"), "") << "an INIT inside of DTLS";
    EXPECT_NE(Tshark(file, "sctp.data_payload_proto_id == 51", "frame.number"), "") << "the string inside of SCTP";
    EXPECT_EQ(Tshark(file, "_ws.malformed", "frame.number"), "");
  }
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
