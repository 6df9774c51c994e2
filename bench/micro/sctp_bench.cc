// SCTP by part: packets, reassembly, the send queue.
#include <benchmark/benchmark.h>

#include <array>
#include <span>
#include <vector>

#include "sctp/packet/chunk/data.h"
#include "sctp/packet/packet_builder.h"
#include "sctp/packet/sctp_packet.h"
#include "sctp/rx/reassembly_queue.h"
#include "sctp/tx/send_queue.h"

namespace jsp::sctp {
namespace {

constexpr size_t kPacket = 1191;
constexpr size_t kFragment = 1160;  // of a full packet, a multiple of four

DataChunk Fragment(uint32_t tsn, std::span<const uint8_t> payload) {
  DataChunk chunk;
  chunk.tsn = Tsn(tsn);
  chunk.stream = StreamId(1);
  chunk.ppid = Ppid(53);
  chunk.payload = payload;
  return chunk;
}

size_t BuildPacket(std::span<uint8_t> out, std::span<const uint8_t> payload) {
  PacketBuilder builder(out, {5000, 5000, VerificationTag(0x12345678)});
  (void)builder.Add(Fragment(1, payload));
  return builder.Finish();
}

void BM_BuildDataPacket(benchmark::State& state) {
  const std::vector<uint8_t> payload(kFragment, 7);
  std::array<uint8_t, kPacket> out;
  for (auto _ : state) benchmark::DoNotOptimize(BuildPacket(out, payload));
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kFragment));
}
BENCHMARK(BM_BuildDataPacket);

void BM_ParseDataPacket(benchmark::State& state) {
  const std::vector<uint8_t> payload(kFragment, 7);
  std::array<uint8_t, kPacket> out;
  const size_t size = BuildPacket(out, payload);
  for (auto _ : state) {
    const auto packet = PacketView::Parse(std::span(out).first(size), ChecksumPolicy::kRequireCrc32c);
    for (const ChunkView chunk : packet->chunks) benchmark::DoNotOptimize(DataChunk::Parse(chunk));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kFragment));
}
BENCHMARK(BM_ParseDataPacket);

// A 64 KiB message in order: 57 fragments.
void BM_Reassemble64KiB(benchmark::State& state) {
  const std::vector<uint8_t> payload(kFragment, 7);
  ReassemblyQueue queue({});
  int64_t tsn = int64_t{1} << 32;
  uint16_t ssn = 0;
  constexpr size_t kFragments = 65536 / kFragment + 1;
  for (auto _ : state) {
    for (size_t i = 0; i < kFragments; ++i, ++tsn) {
      DataChunk chunk = Fragment(static_cast<uint32_t>(tsn), payload);
      chunk.ssn = Ssn(ssn);
      chunk.beginning = i == 0;
      chunk.end = i + 1 == kFragments;
      (void)queue.Add(UnwrappedTsn(tsn), chunk);
    }
    ++ssn;
    benchmark::DoNotOptimize(queue.PopMessage());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(kFragments * kFragment));
}
BENCHMARK(BM_Reassemble64KiB);

// A message in, its fragments out, released.
void BM_SendQueue(benchmark::State& state) {
  const auto size = static_cast<size_t>(state.range(0));
  Metrics metrics;
  SendQueue queue(size_t{16} << 20, StreamScheduler::Policy{}, metrics);
  const Timestamp now = Timestamp::FromEpoch(Duration(1));
  for (auto _ : state) {
    queue.Add(now, Message{StreamId(1), Ppid(53), std::vector<uint8_t>(size)}, {});
    const auto handle = *queue.Front(now, Reliability::kFull);
    for (size_t left = size; left > 0;) {
      const size_t length = left < kFragment ? left : kFragment;
      benchmark::DoNotOptimize(queue.Take(length));
      left -= length;
    }
    queue.Release(handle);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_SendQueue)->Arg(100)->Arg(1024)->Arg(65536);

}  // namespace
}  // namespace jsp::sctp
