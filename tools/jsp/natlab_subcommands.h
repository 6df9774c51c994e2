#pragma once
#include <CLI/CLI.hpp>
namespace jsp::tool {

// `jsp natlab merge A.json B.json…`: one report out of those of shards.
void AddNatlabMergeCommand(CLI::App& natlab, int& exit_code);
// `jsp natlab nft TYPE OUTSIDE INSIDE`: the rules by which the netns engine makes a NAT.
void AddNatlabNftCommand(CLI::App& natlab, int& exit_code);

}  // namespace jsp::tool
