#include "tools/jsp/channel_service.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace jsp::tool {
namespace {

using Kind = ServiceKind::Kind;

TEST(ChannelServiceTest, LabelsChooseTheService) {
  EXPECT_EQ(ParseServiceLabel("sink").kind, Kind::kSink);
  const auto source = ParseServiceLabel("source:1000000000000:65536");
  EXPECT_EQ(source.kind, Kind::kSource);
  EXPECT_EQ(source.bytes, 1000000000000u);
  EXPECT_EQ(source.message_size, 65536u);
  for (const char* label : {"", "echo", "echo file", "chat", "sinks", "sink "}) {
    EXPECT_EQ(ParseServiceLabel(label).kind, Kind::kEcho) << label;
  }
}

TEST(ChannelServiceTest, MalformedSourceLabelsEcho) {
  for (const char* label : {"source", "source:", "source::", "source:1", "source:1:", "source:1:0", "source:1:262145",
                            "source:-1:1", "source:1:1:1", "source:1:1x", "source:99999999999999999999:1"}) {
    EXPECT_EQ(ParseServiceLabel(label).kind, Kind::kEcho) << label;
  }
  EXPECT_EQ(ParseServiceLabel("source:0:1").kind, Kind::kSource);
  EXPECT_EQ(ParseServiceLabel("source:1:262144").kind, Kind::kSource);
}

TEST(ChannelServiceTest, SourcePayloadDependsOnTheOffsetOnly) {
  const auto whole = SourcePayload(0, 1000);
  for (const size_t at : {size_t{1}, size_t{250}, size_t{251}, size_t{700}}) {
    const auto part = SourcePayload(at, 100);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(at))) << at;
  }
}

}  // namespace
}  // namespace jsp::tool
