// The checksums of SCTP and STUN, beside the portable table.
#include <benchmark/benchmark.h>

#include <vector>

#include "base/crc32.h"
#include "base/crc32c.h"

namespace jsp {
namespace {

void BM_Crc32c(benchmark::State& state) {
  const std::vector<uint8_t> data(static_cast<size_t>(state.range(0)), 0x5a);
  for (auto _ : state) benchmark::DoNotOptimize(Crc32c(data));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Crc32c)->Arg(100)->Arg(1200)->Arg(9000);

void BM_Crc32cPortable(benchmark::State& state) {
  const std::vector<uint8_t> data(static_cast<size_t>(state.range(0)), 0x5a);
  for (auto _ : state) benchmark::DoNotOptimize(Crc32cPortable(data));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Crc32cPortable)->Arg(1200);

void BM_Crc32(benchmark::State& state) {
  const std::vector<uint8_t> data(static_cast<size_t>(state.range(0)), 0x5a);
  for (auto _ : state) benchmark::DoNotOptimize(Crc32(data));
}
BENCHMARK(BM_Crc32)->Arg(100);

}  // namespace
}  // namespace jsp
