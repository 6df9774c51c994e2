#pragma once
#include <cstddef>

#include "bench/natlab/cell_runner.h"
namespace jsp::natlab {

// A correct stack is blamed for a cell less often than this.
constexpr double kBlame = 1e-6;

// How likely it is, at most, that a run of a cell that is won by chance (IsWonByChance) is not direct: that none of n
// probes to distinct ports meets one of k mappings among all ports that a NAT gives, (1 - n / 64512)^k. k and n are
// those of ice::ProbingOptions, but for the probes that leave before all mappings stand, and those that links lose.
double MissChance(const Network& network);

// That a packet from one side to the other is lost. In a cell that an early check takes the direct way from
// (IsLostToEarlyCheck) a run is direct so often.
double LossChance(const Network& network);

// The most of `runs` that luck of that chance is taken for: more of them miss with a probability below kBlame, by
// the binomial distribution.
size_t MostMisses(size_t runs, double chance);

}  // namespace jsp::natlab
