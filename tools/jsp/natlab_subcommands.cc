#include "tools/jsp/natlab_subcommands.h"

#include <memory>
#include <string>
#include <vector>

#include "bench/natlab/kernel_nat.h"
#include "bench/natlab/merge.h"
#include "tools/jsp/natlab_table.h"
#include "tools/jsp/output.h"

namespace jsp::tool {
namespace {

struct MergeArguments {
  std::vector<std::string> files;
  std::string json;
  std::string html;
  std::string csv;
};

int RunMerge(const MergeArguments& arguments) {
  std::vector<natlab::Report> parts;
  for (const std::string& file : arguments.files) {
    const auto text = ReadFile(file);
    if (!text) return Fail(text.error(), kExitUsage);
    auto part = natlab::ParseReport(*text);
    if (!part) return Fail(file + ": " + part.error(), kExitUsage);
    parts.push_back(*std::move(part));
  }
  const auto merged = natlab::Merge(parts);
  if (!merged) return Fail(merged.error(), kExitUsage);
  const HumanText human(arguments.json == "-" || arguments.html == "-" || arguments.csv == "-");
  human.Print(FormatMatrix(*merged, human.HasColor() ? Color::kOn : Color::kOff) + FormatMixes(*merged));
  for (const auto& [file, content] : {std::pair{arguments.json, natlab::ToJson(*merged)},
                                      {arguments.html, natlab::ToHtml(*merged)},
                                      {arguments.csv, natlab::ToCsv(*merged)}}) {
    if (file.empty()) continue;
    if (const auto written = WriteDocument(file, content); !written) return Fail(written.error());
  }
  return merged->mismatches() == 0 && !merged->interrupted ? kExitDone : kExitFailed;
}

struct NftArguments {
  std::string type;
  std::string outside;
  std::string inside;
  uint64_t seed = 1;
  bool hairpin = false;
};

int RunNft(const NftArguments& arguments) {
  const auto outside = IpAddress::Parse(arguments.outside);
  const auto inside = IpAddress::Parse(arguments.inside);
  if (!outside || !inside || outside->is_v4() != inside->is_v4()) {
    return Fail("OUTSIDE and INSIDE have to be addresses of one family", kExitUsage);
  }
  if (!natlab::IsKernelNatType(arguments.type)) {
    std::string known;
    for (const std::string& type : natlab::KernelNatTypes()) known += (known.empty() ? "" : ", ") + type;
    return Fail("unknown NAT type '" + arguments.type + "'; it is one of " + known, kExitUsage);
  }
  HumanText(false).Print(natlab::NftRules({arguments.type, *outside, *inside, arguments.seed, arguments.hairpin}));
  return kExitDone;
}

}  // namespace

void AddNatlabMergeCommand(CLI::App& natlab, int& exit_code) {
  auto arguments = std::make_shared<MergeArguments>();
  auto* command = natlab.add_subcommand("merge", "one report out of those that --shard runs wrote");
  command->add_option("FILES", arguments->files, "reports in JSON")->required();
  command->add_option("--json", arguments->json, "write the report as JSON to FILE, - is standard output");
  command->add_option("--html", arguments->html, "write the report as one HTML page to FILE");
  command->add_option("--csv", arguments->csv, "write the cells as a table to FILE");
  command->callback([arguments, &exit_code] { exit_code = RunMerge(*arguments); });
}

void AddNatlabNftCommand(CLI::App& natlab, int& exit_code) {
  auto arguments = std::make_shared<NftArguments>();
  auto* command = natlab.add_subcommand("nft", "print the nftables rules by which --engine netns makes a NAT");
  command->add_option("TYPE", arguments->type, "port, sym, …")->required();
  command->add_option("OUTSIDE", arguments->outside, "address of its interface \"wan\"")->required();
  command->add_option("INSIDE", arguments->inside, "address of the host behind it")->required();
  command->add_option("--seed", arguments->seed, "of the ports that are chosen")->capture_default_str();
  command->add_flag("--hairpin", arguments->hairpin, "send what is for OUTSIDE from inside back in");
  command->callback([arguments, &exit_code] { exit_code = RunNft(*arguments); });
}

}  // namespace jsp::tool
