// One message that is larger than all buffers on its way, between two processes over loopback.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/crypto.h"
#include "tools/jsp/child_process.h"

namespace jsp::tool {
namespace {

namespace json = boost::json;

constexpr size_t kSize = 64 * 1024 * 1024;
// Beyond what a process has that sent one small message: a receive window and a send buffer of 4 MiB each, what the
// bookkeeping of 4 MiB in packets costs, and the allocator's share.
constexpr size_t kMaxGrowth = 24 * 1024 * 1024;

std::string Jsp() { return std::filesystem::absolute("tools/jsp/jsp"); }

std::string TemporaryFile(const std::string& name) { return testing::TempDir() + "/" + name; }

// Writes the file in parts, and returns its SHA-256.
std::string MakeFile(const std::string& path, size_t size) {
  std::ofstream file(path, std::ios::binary);
  crypto::Sha256Hasher hasher;
  std::vector<uint8_t> part(64 * 1024);
  for (size_t at = 0; at < size; at += part.size()) {
    for (size_t i = 0; i < part.size(); ++i) part[i] = static_cast<uint8_t>((at / part.size() + i * 7) % 253);
    hasher.Update(part);
    file.write(reinterpret_cast<const char*>(part.data()), static_cast<std::streamsize>(part.size()));
  }
  return crypto::Hex(hasher.Finish());
}

class StreamingTest : public testing::Test {
 protected:
  struct Run {
    ChildProcess::Result result;
    json::object report;
  };
  Run Connect(std::vector<std::string> options) {
    options.insert(options.begin(), {Jsp(), "connect", server_.url(), "--json", "-", "--timeout", "60"});
    Run run{ChildProcess::Run(options), {}};
    boost::system::error_code error;
    const auto document = json::parse(run.result.out, error);
    if (!error && document.is_object()) run.report = document.as_object();
    return run;
  }
  // Runs the job on a file of kSize, and holds the memory of both processes to the bound.
  void ExpectBounded(const std::vector<std::string>& options, const std::string& sha256) {
    const Run small = Connect({"--message", "hello"});
    ASSERT_EQ(small.result.exit_code, 0) << small.result.err;
    const size_t server_before = server_.process().MaxRss();
    const Run large = Connect(options);
    ASSERT_EQ(large.result.exit_code, 0) << large.result.err;
    const auto& job = large.report.at("job").as_object();
    EXPECT_EQ(job.at("bytes").to_number<size_t>(), kSize);
    EXPECT_EQ(job.at("messages").to_number<int>(), 1);
    EXPECT_EQ(std::string(job.at("sha256").as_string()), sha256);
    ASSERT_GT(server_before, 1u << 20);
    EXPECT_LE(server_.process().MaxRss(), server_before + kMaxGrowth);
    ASSERT_GT(small.result.max_rss, 1u << 20);
    EXPECT_LE(large.result.max_rss, small.result.max_rss + kMaxGrowth);
    RecordProperty("server_growth", std::to_string(server_.process().MaxRss() - server_before));
    RecordProperty("client_growth", std::to_string(large.result.max_rss - small.result.max_rss));
  }

  ServeProcess server_{Jsp(), {"--max-message-size", "0"}};
};

TEST_F(StreamingTest, AFileIsOneMessageToASinkInBoundedMemory) {  // RFC 9260 §6.9
  const std::string file = TemporaryFile("streamed.bin");
  ExpectBounded({"--send", file, "--stream"}, MakeFile(file, kSize));
}

TEST_F(StreamingTest, AnEchoSendsItBackPieceByPiece) {
  const std::string file = TemporaryFile("streamed.bin");
  const std::string back = TemporaryFile("streamed.back");
  ExpectBounded({"--send", file, "--stream", "--receive", back}, MakeFile(file, kSize));
  EXPECT_EQ(std::filesystem::file_size(back), kSize);
}

TEST_F(StreamingTest, APeerThatTakesNoSuchMessageIsToldApart) {  // RFC 8841 §6.1
  const ServeProcess server(Jsp());
  const std::string file = TemporaryFile("large.bin");
  MakeFile(file, 1 << 20);
  const auto result = ChildProcess::Run({Jsp(), "connect", server.url(), "--send", file, "--stream"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("--max-message-size 0"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace jsp::tool
