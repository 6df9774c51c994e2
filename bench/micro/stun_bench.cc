// STUN: what an ICE agent does for each connectivity check.
#include <benchmark/benchmark.h>

#include <array>
#include <span>

#include "base/crypto.h"
#include "base/rng.h"
#include "base/socket_address.h"
#include "stun/message_builder.h"
#include "stun/message_view.h"

namespace jsp::stun {
namespace {

const crypto::HmacSha1Key& Key() {
  static const crypto::HmacSha1Key key(crypto::AsBytes("VOkJxbRl1RmTxUk/WvJxBt00"));
  return key;
}

std::span<const uint8_t> BuildCheck(std::span<uint8_t> out, const TransactionId& id) {
  return MessageBuilder(out, {Method::kBinding, MessageClass::kRequest}, id)
      .AddText(AttributeType::kUsername, "evtjevtj:h6vYh6vY")
      .AddU32(AttributeType::kPriority, 0x6e0001ff)
      .AddU64(AttributeType::kIceControlling, 0x932ff9b151263b36)
      .AddFlag(AttributeType::kUseCandidate)
      .AddIntegrity(Key())
      .AddFingerprint()
      .Finish();
}

void BM_BuildCheck(benchmark::State& state) {
  Rng rng = Rng::FromNumber(1);
  std::array<uint8_t, 512> buffer;
  for (auto _ : state) benchmark::DoNotOptimize(BuildCheck(buffer, TransactionId::Random(rng)).data());
}
BENCHMARK(BM_BuildCheck);

void BM_ParseCheck(benchmark::State& state) {
  Rng rng = Rng::FromNumber(1);
  std::array<uint8_t, 512> buffer;
  const auto check = BuildCheck(buffer, TransactionId::Random(rng));
  for (auto _ : state) benchmark::DoNotOptimize(MessageView::Parse(check));
}
BENCHMARK(BM_ParseCheck);

void BM_VerifyCheck(benchmark::State& state) {
  Rng rng = Rng::FromNumber(1);
  std::array<uint8_t, 512> buffer;
  const auto check = BuildCheck(buffer, TransactionId::Random(rng));
  for (auto _ : state) {
    const auto message = MessageView::Parse(check);
    benchmark::DoNotOptimize(message->VerifyFingerprint());
    benchmark::DoNotOptimize(message->VerifyIntegrity(Key()));
  }
}
BENCHMARK(BM_VerifyCheck);

// The parts of the above apart, as other stacks' benchmarks state them.
void BM_BuildWithoutIntegrity(benchmark::State& state) {
  Rng rng = Rng::FromNumber(1);
  const TransactionId id = TransactionId::Random(rng);
  const auto mapped = *SocketAddress::Parse("203.0.113.7:40000");
  std::array<uint8_t, 512> buffer;
  for (auto _ : state) {
    MessageBuilder builder(buffer, {Method::kBinding, MessageClass::kSuccessResponse}, id);
    builder.AddAddress(AttributeType::kXorMappedAddress, mapped).AddText(AttributeType::kSoftware, "jsp");
    benchmark::DoNotOptimize(builder.Finish().data());
  }
}
BENCHMARK(BM_BuildWithoutIntegrity);

void BM_VerifyIntegrity(benchmark::State& state) {
  Rng rng = Rng::FromNumber(1);
  std::array<uint8_t, 512> buffer;
  const auto message = MessageView::Parse(BuildCheck(buffer, TransactionId::Random(rng)));
  for (auto _ : state) benchmark::DoNotOptimize(message->VerifyIntegrity(Key()));
}
BENCHMARK(BM_VerifyIntegrity);

void BM_VerifyFingerprint(benchmark::State& state) {
  Rng rng = Rng::FromNumber(1);
  std::array<uint8_t, 512> buffer;
  const auto message = MessageView::Parse(BuildCheck(buffer, TransactionId::Random(rng)));
  for (auto _ : state) benchmark::DoNotOptimize(message->VerifyFingerprint());
}
BENCHMARK(BM_VerifyFingerprint);

}  // namespace
}  // namespace jsp::stun
