// One DTLS record each way, after a handshake in memory: OpenSSL's record layer, and ours.
#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <vector>

#include "dtls/certificate.h"
#include "dtls/session.h"

namespace jsp::dtls {
namespace {

constexpr Timestamp kNow = Timestamp::FromEpoch(std::chrono::seconds(1));

struct Pair {
  explicit Pair(bool own_record_layer) {
    const auto certificate = *Certificate::Generate();
    Options options;
    options.certificate = certificate;
    options.own_record_layer = own_record_layer;
    options.remote_fingerprints = {certificate->fingerprint()};
    options.role = Role::kClient;
    client.emplace(options, kNow);
    options.role = Role::kServer;
    server.emplace(options, kNow);
    server->Start(kNow);
    client->Start(kNow);
    for (int i = 0; i < 20; ++i) {
      Carry(*client, *server);
      Carry(*server, *client);
    }
    if (client->is_connected() && server->is_connected()) return;
    std::fputs("the handshake in memory did not finish\n", stderr);
    std::abort();
  }
  static void Carry(Session& from, Session& to) {
    std::array<uint8_t, 2048> datagram;
    while (auto sent = from.PollTransmit(kNow, datagram))
      to.HandleDatagram(kNow, std::span(datagram).first(sent->size));
  }
  std::optional<Session> client;
  std::optional<Session> server;
};

void BM_Seal(benchmark::State& state) {
  Pair pair(state.range(1) != 0);
  const std::vector<uint8_t> plaintext(static_cast<size_t>(state.range(0)), 7);
  std::array<uint8_t, 2048> out;
  for (auto _ : state) benchmark::DoNotOptimize(pair.client->Seal(kNow, plaintext, out));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Seal)->ArgNames({"octets", "own"})->ArgsProduct({{100, 1191}, {0, 1}});

void BM_SealAndOpen(benchmark::State& state) {
  Pair pair(state.range(1) != 0);
  const std::vector<uint8_t> plaintext(static_cast<size_t>(state.range(0)), 7);
  std::array<uint8_t, 2048> record;
  std::array<uint8_t, 16384> opened;
  for (auto _ : state) {
    const auto size = pair.client->Seal(kNow, plaintext, record);
    benchmark::DoNotOptimize(pair.server->Open(kNow, std::span(record).first(*size), opened));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_SealAndOpen)->ArgNames({"octets", "own"})->ArgsProduct({{100, 1191}, {0, 1}});

}  // namespace
}  // namespace jsp::dtls
