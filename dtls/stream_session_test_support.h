#pragma once
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dtls/stream_session.h"
#include "dtls/stream_test_support.h"
namespace jsp::dtls::testing {

using Bytes = std::vector<uint8_t>;

inline constexpr int64_t kStreamTestTime = 1700000000;  // 2023-11-14
inline const IssueOptions kForServer{
    .names = {"DNS:turn.example", "DNS:*.relay.example", "IP:192.0.2.1", "IP:2001:db8::1"}};

inline const TestAuthority& Authority() {
  static const TestAuthority authority;
  return authority;
}

inline std::shared_ptr<const StreamContext> Must(StreamContext::Result made) {
  EXPECT_TRUE(made) << made.error();
  return *made;
}

inline std::shared_ptr<const StreamContext> ClientContext() {
  static const auto context = Must(StreamContext::ForClient({.ca_pem = Authority().pem()}));
  return context;
}

inline std::shared_ptr<const StreamContext> ServerContext(const Issued& issued) {
  return Must(StreamContext::ForServer(issued.chain_pem, issued.key_pem));
}

inline std::shared_ptr<const StreamContext> ServerContext() {
  static const auto context = ServerContext(Authority().Issue(kForServer));
  return context;
}

inline StreamOptions ClientOptions(const std::string& host = "turn.example") {
  return {.context = ClientContext(), .host = host, .unix_time = kStreamTestTime};
}

inline StreamOptions ServerOptions(std::shared_ptr<const StreamContext> context = ServerContext()) {
  return {.context = std::move(context)};
}

// One end with its owner: what came out of it waits for the test.
struct StreamEnd {
  StreamEnd(const StreamOptions& options, Timestamp now) : session(options, now) {}

  // As StreamSession's comment says.
  void Give(Timestamp now, std::span<const uint8_t> octets) {
    do {
      const size_t taken = session.HandleReceived(now, octets);
      octets = octets.subspan(taken);
      const size_t before = out.size() + plaintext.size();
      Drain(now);
      ASSERT_TRUE(taken > 0 || octets.empty() || out.size() + plaintext.size() > before) << "stuck";
    } while (!octets.empty());
  }
  void Drain(Timestamp now) {
    std::array<uint8_t, 20000> buffer;
    while (const auto size = session.PollPlaintext(now, buffer)) {
      plaintext.append(buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(*size));
    }
    while (const auto transmit = session.PollTransmit(now, buffer)) {
      out.insert(out.end(), buffer.begin(), buffer.begin() + static_cast<ptrdiff_t>(transmit->size));
    }
    while (auto event = session.PollEvent()) events.push_back(std::move(*event));
  }
  const StreamSession::Connected* connected() const { return Find<StreamSession::Connected>(); }
  const StreamSession::Failed* failed() const { return Find<StreamSession::Failed>(); }
  const StreamSession::Closed* closed() const { return Find<StreamSession::Closed>(); }
  template <class Event>
  const Event* Find() const {
    for (const auto& event : events) {
      if (const auto* found = std::get_if<Event>(&event)) return found;
    }
    return nullptr;
  }

  StreamSession session;
  Bytes out;
  std::string plaintext;
  std::vector<StreamSession::Event> events;
};

// A client a and a server z with a stream between them that delivers `step` octets at a time.
struct StreamPair {
  explicit StreamPair(const StreamOptions& client = ClientOptions(), const StreamOptions& server = ServerOptions())
      : a(client, now), z(server, now) {}

  void Exchange(size_t step = 4096) {
    for (int idle = 0; idle < 2; ++idle) {
      a.Drain(now);
      z.Drain(now);
      if (Carry(a, z, step) || Carry(z, a, step)) idle = -1;
    }
  }
  bool Carry(StreamEnd& from, StreamEnd& to, size_t step) {
    if (from.out.empty()) return false;
    const size_t size = std::min(step, from.out.size());
    const Bytes octets(from.out.begin(), from.out.begin() + static_cast<ptrdiff_t>(size));
    from.out.erase(from.out.begin(), from.out.begin() + static_cast<ptrdiff_t>(size));
    to.Give(now, octets);
    return true;
  }
  void MustConnect() {
    Exchange();
    ASSERT_TRUE(a.connected() != nullptr) << (a.failed() ? a.failed()->detail : "nothing");
    ASSERT_TRUE(z.connected() != nullptr) << (z.failed() ? z.failed()->detail : "nothing");
  }

  Timestamp now = Timestamp::FromEpoch(std::chrono::seconds(1000));
  StreamEnd a;
  StreamEnd z;
};

inline std::span<const uint8_t> AsBytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// All of it, over as many records as it takes.
inline void SendAll(StreamPair& pair, StreamEnd& end, const std::string& text) {
  for (auto rest = AsBytes(text); !rest.empty();) {
    const auto taken = end.session.Send(pair.now, rest);
    ASSERT_TRUE(taken);
    rest = rest.subspan(*taken);
    end.Drain(pair.now);
  }
}

}  // namespace jsp::dtls::testing
