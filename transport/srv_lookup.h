#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/event_queue.h"
#include "base/rng.h"
#include "base/sans_io.h"
#include "base/socket_address.h"
#include "transport/srv_message.h"
namespace jsp::transport {

// The order in which RFC 2782 wants servers tried: by priority, and among equals at random, in proportion to weight.
std::vector<SrvRecord> OrderSrv(std::vector<SrvRecord> records, Rng& rng);

struct SrvLookupOptions {
  std::string name{};                                  // "_turn._udp.example.org"
  std::vector<SocketAddress> name_servers{};           // recursive ones, asked in turns
  Duration interval = std::chrono::milliseconds(300);  // between questions
  // In all; who has no answer by then counts as having no records: some routers do not answer this kind of question.
  Duration timeout = std::chrono::milliseconds(1500);
};

// Finds the SRV records of one service over UDP. The owner has a socket with a port of its own for each look-up, which
// is half of what protects it from forged answers; the other half is the question's id. A socket of ours and no call of
// the system's, because none of those looks up SRV without blocking its thread, and a thread that waits for a dead name
// server cannot be called back.
class SrvLookup {
 public:
  struct Transmit {
    size_t size;
    SocketAddress remote;
  };
  // The last event. Empty: there are none. One whose target is the root: the service is decidedly not offered.
  struct Done {
    std::vector<SrvRecord> ordered;
  };
  using Event = std::variant<Done>;
  struct Metrics {
    uint64_t queries_sent = 0;
    uint64_t dropped_wrong_source = 0;
    uint64_t dropped_unparsable = 0;
    uint64_t dropped_wrong_question = 0;
  };

  // `rng` must outlive the look-up.
  SrvLookup(const SrvLookupOptions& options, Rng& rng);

  void Start(Timestamp now);
  void HandleDatagram(Timestamp now, const SocketAddress& remote, std::span<const uint8_t> datagram);
  void HandleTimeout(Timestamp now);
  [[nodiscard]] std::optional<Transmit> PollTransmit(Timestamp now, std::span<uint8_t> out);
  [[nodiscard]] std::optional<Event> PollEvent() { return events_.Pop(); }
  [[nodiscard]] Timestamp NextTimeout() const;
  const Metrics& metrics() const { return metrics_; }

 private:
  enum class Phase : uint8_t { kIdle, kAsking, kDone };
  void Finish(std::vector<SrvRecord> records);

  SrvLookupOptions options_;
  Rng* rng_;
  Phase phase_ = Phase::kIdle;
  uint16_t id_ = 0;
  size_t asked_ = 0;  // questions sent, to the servers in turns
  size_t refused_ = 0;
  Timestamp next_at_;
  Timestamp deadline_;
  EventQueue<Event> events_;
  Metrics metrics_;
};
static_assert(SansIoCore<SrvLookup>);

}  // namespace jsp::transport
