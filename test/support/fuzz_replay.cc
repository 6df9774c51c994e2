// What libFuzzer's main is with --config=fuzz: gives each file of the command line, and mutations of it, to the target.
// They are the same ones every time.
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/rng.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace jsp {
namespace {

constexpr uint64_t kMutations = 1000;
std::string current;  // what to look at after a crash

void SayWhichInput(int signal) {
  std::fprintf(stderr, "input: %s\n", current.c_str());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

std::vector<uint8_t> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

// Up to eight octets changed, a part cut out, doubled, or taken from another input.
std::vector<uint8_t> Mutate(std::vector<uint8_t> input, const std::vector<uint8_t>& other, Rng& rng) {
  const auto at = [&](size_t size) { return static_cast<std::ptrdiff_t>(rng.Below(size + 1)); };
  switch (rng.Below(4)) {
    case 0:
      input.erase(input.begin() + at(input.size()), input.end());
      break;
    case 1: {
      const std::vector<uint8_t> tail(input.begin() + at(input.size()), input.end());
      input.insert(input.begin() + at(input.size()), tail.begin(), tail.end());
      break;
    }
    case 2:
      input.insert(input.begin() + at(input.size()), other.begin() + at(other.size()), other.end());
      break;
    default:
      break;
  }
  for (uint64_t i = rng.Below(9); i > 0 && !input.empty(); --i) {
    input[rng.Below(input.size())] = static_cast<uint8_t>(rng.Below(256));
  }
  input.resize(std::min<size_t>(input.size(), 4096));
  return input;
}

}  // namespace
}  // namespace jsp

int main(int argc, char** argv) {
  using namespace jsp;
  for (const int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGTRAP}) std::signal(signal, SayWhichInput);
  std::vector<std::vector<uint8_t>> corpus;
  for (int i = 1; i < argc; ++i) corpus.push_back(ReadFile(argv[i]));
  if (corpus.empty()) {
    std::fprintf(stderr, "no corpus\n");
    return 1;
  }
  for (size_t i = 0; i < corpus.size(); ++i) {
    const std::string file = argv[i + 1];
    current = file;
    LLVMFuzzerTestOneInput(corpus[i].data(), corpus[i].size());
    Rng rng = Rng::FromNumber(i);
    for (uint64_t mutation = 0; mutation < kMutations; ++mutation) {
      current = file + ", mutation " + std::to_string(mutation);
      const auto input = Mutate(corpus[i], corpus[rng.Below(corpus.size())], rng);
      LLVMFuzzerTestOneInput(input.data(), input.size());
    }
  }
  std::printf("%zu files, %llu mutations each\n", corpus.size(), static_cast<unsigned long long>(kMutations));
  return 0;
}
