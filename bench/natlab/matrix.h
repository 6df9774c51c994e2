#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "bench/natlab/cell_runner.h"
#include "bench/natlab/report.h"
#include "netsim/nat_type.h"
namespace jsp::natlab {

// Who runs cells: RunCell, in virtual time, unless another engine is given.
struct Engine {
  const char* name = "sim";
  RunResult (*run)(const void* context, const CellOptions& options) = nullptr;
  const void* context = nullptr;
};

// A slice of the cells: every count-th one, from the index-th on.
struct Shard {
  size_t index = 0;
  size_t count = 1;
};

struct MatrixOptions {
  std::vector<netsim::NatType> types;  // every ordered pair is a cell
  size_t runs = 1;                     // of each cell, with different seeds
  uint64_t seed = 1;
  RelayService relay = RelayService::kPresent;
  std::vector<IpAddress::Family> families{IpAddress::Family::kV4};  // a matrix of each
  Network network{};
  Engine engine{};
  Shard shard{};
  std::string captures{};  // a directory for what both hosts of every run see (CellOptions::capture); empty: none
  std::string scenario{};  // preset or file, for the report
};

// Report::ways, of `jsp natlab`; what a scenario says may be said twice.
std::string WaysOf(const Network& network);

// A cell that is to be run. On one LAN there is one NAT, so both sides have the same type.
struct CellPlan {
  netsim::NatType a;
  netsim::NatType b;
  IpAddress::Family family;
};
std::vector<CellPlan> PlanMatrix(const MatrixOptions& options);
CellReport RunPlan(const MatrixOptions& options, const CellPlan& plan);

// Told after each cell; a plain function, so that a tool may draw progress.
struct Progress {
  void (*cell_done)(void* context, const CellReport& cell, size_t done, size_t total) = nullptr;
  void* context = nullptr;
};

// Runs all cells in virtual time (netsim), whole peers on both sides. The same options give the same report. The binary
// must link netsim's virtual_gettimeofday.
Report RunMatrix(const MatrixOptions& options, const Progress& progress = {});

}  // namespace jsp::natlab
