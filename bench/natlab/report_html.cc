#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/natlab/report.h"
#include "bench/natlab/report_page.h"

namespace jsp::natlab {
namespace {

std::string Escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// JSON inside of a script element: nothing in it may look like markup.
std::string Embedded(std::string json) {
  for (size_t at = 0; (at = json.find('<', at)) != std::string::npos;) json.replace(at, 1, "\\u003c");
  return json;
}

std::string Number(double value, int digits = 1) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

Outcome Usual(const CellReport& cell) {
  if (cell.direct >= cell.relayed && cell.direct >= cell.none && cell.direct > 0) return Outcome::kDirect;
  return cell.relayed >= cell.none && cell.relayed > 0 ? Outcome::kRelay : Outcome::kNone;
}

// Slower is stronger: the fastest quarter of the report's medians is the faintest.
int Heat(const Report& report, double time) {
  std::vector<double> medians;
  for (const CellReport& cell : report.cells) {
    if (!cell.times_ms.empty()) medians.push_back(Distribution::Of(cell.times_ms).p50);
  }
  const auto faster = static_cast<double>(std::ranges::count_if(medians, [&](double other) { return other < time; }));
  return medians.empty() ? 4 : static_cast<int>(faster / static_cast<double>(medians.size()) * 5);
}

std::string CellHtml(const Report& report, size_t index) {
  const CellReport& cell = report.cells[index];
  const Outcome outcome = Usual(cell);
  const auto times = Distribution::Of(cell.times_ms);
  const std::string heat = times.count > 0 ? " t" + std::to_string(Heat(report, times.p50)) : std::string();
  return "<td><button type=\"button\" class=\"cell " + std::string(ToString(outcome)) + heat +
         (cell.mismatches > 0 ? " wrong" : "") + "\" aria-pressed=\"false\" data-cell=\"" + std::to_string(index) +
         "\" title=\"" + Escape(cell.why) + "\">" + (cell.mismatches > 0 ? "! " : "") + ToString(outcome) + "<small>" +
         (times.count > 0 ? Number(times.p50, 0) + " ms" : std::string("–")) + "</small></button></td>";
}

std::string MatrixHtml(const Report& report, IpAddress::Family family) {
  std::string rows;
  for (const auto a : report.types) {
    std::string row;
    for (const auto b : report.types) {
      const auto found = std::ranges::find_if(
          report.cells, [&](const CellReport& c) { return c.a == a && c.b == b && c.family == family; });
      if (found != report.cells.end()) row += CellHtml(report, static_cast<size_t>(found - report.cells.begin()));
    }
    if (!row.empty()) rows += "<tr><th scope=\"row\">" + Escape(netsim::ToString(a)) + "</th>" + row + "</tr>";
  }
  if (rows.empty()) return {};
  std::string html =
      "<section><h2>Who reaches whom over " + std::string(family == IpAddress::Family::kV4 ? "IPv4" : "IPv6") +
      "</h2><p class=\"note\">a, in rows, offers; b, in columns, answers. Median time to the first message; the "
      "stronger "
      "the colour, the slower. Choose a cell for the rest, with the arrow keys too.</p>"
      "<p class=\"legend\"><span class=\"direct\">direct</span><span class=\"relay\">relay</span><span "
      "class=\"none\">none</span><span class=\"wrong\">! not as expected</span></p>"
      "<div class=\"wide\"><table><thead><tr><td></td>";
  for (const auto b : report.types) html += "<th scope=\"col\">" + Escape(netsim::ToString(b)) + "</th>";
  return html + "</tr></thead><tbody>" + rows + "</tbody></table></div></section>";
}

std::string MixesHtml(const Report& report) {
  if (report.mixes.empty()) return {};
  std::string html =
      "<section><h2>What that makes of all users</h2><p class=\"note\">Both sides drawn from a mix of NATs; the mixes "
      "are "
      "assumptions, with their sources below.</p>";
  for (const MixReport& mix : report.mixes) {
    html += "<h3>" + Escape(mix.name) + "</h3><div class=\"share\" role=\"img\" aria-label=\"" + Escape(mix.name) +
            ": " + Number(mix.direct * 100) + " % direct, " + Number(mix.relay * 100) + " % relay, " +
            Number(mix.none * 100) + " % none\">";
    for (const auto& [name, share] : {std::pair{"direct", mix.direct}, {"relay", mix.relay}, {"none", mix.none}}) {
      if (share <= 0) continue;
      html += "<span class=\"" + std::string(name) + "\" style=\"width:" + Number(share * 100, 2) + "%\"></span>";
    }
    // Beside the bar, where they fit however small a share is.
    html += "</div><p class=\"legend\" aria-hidden=\"true\">";
    for (const auto& [name, share] : {std::pair{"direct", mix.direct}, {"relay", mix.relay}, {"none", mix.none}}) {
      if (share <= 0) continue;
      html += "<span class=\"" + std::string(name) + "\">" + name + " " + Number(share * 100) + " %</span>";
    }
    html += "</p><details><summary>" + Escape(mix.about) + "</summary><ul>";
    for (const std::string& source : mix.sources) html += "<li>" + Escape(source) + "</li>";
    html += "</ul></details>";
  }
  return html + "</section>";
}

constexpr double kBar = 100;  // five of them and their labels are as wide as a page

std::string Bar(double value, double top, const std::string& label) {
  const double width = top > 0 ? kBar * value / top : 0;
  return "<td><svg viewBox=\"0 0 190 20\" width=\"190\" height=\"20\" role=\"img\" aria-label=\"" + label +
         "\"><rect class=\"bar\" x=\"0\" y=\"3\" height=\"14\" width=\"" + Number(width) + "\"/><text x=\"" +
         Number(width + 6) + "\" y=\"15\">" + label + "</text></svg></td>";
}

std::string PathsHtml(const Report& report) {
  if (report.paths.empty()) return {};
  double connect = 0, round_trip = 0, rate = 0, cpu = 0;
  for (const PathReport& path : report.paths) {
    connect = std::max(connect, path.connect_ms.p50);
    round_trip = std::max({round_trip, path.rtt_ms.p50, path.loaded_rtt_ms.p50});
    rate = std::max(rate, path.mbytes_per_s);
    cpu = std::max(cpu, path.cpu_ms_per_mb.value_or(0));
  }
  const bool is_real = report.engine != "sim";
  const std::string of_cpu =
      is_real ? " Processor: time of both peers' processes for a megabyte of the bulk, with the kernel's work for them."
              : " Processor: time of one process for a megabyte of the bulk, both peers, the server and the simulated "
                "network, without a kernel's sockets; it differs from run to run.";
  std::string html =
      "<section><h2>The paths</h2><p class=\"note\">Under the same links: 50 Mbit/s and 10 ms at both accesses, in " +
      std::string(is_real ? "real" : "virtual") + " time. Medians." + (cpu > 0 ? of_cpu : "") +
      "</p><div class=\"wide bars\"><table><thead><tr><th>path</th><th>over</th><th>connected</th><th>round "
      "trip</th><th>beside a bulk</th><th>bulk</th>" +
      (cpu > 0 ? "<th>processor</th>" : "") + "</tr></thead><tbody>";
  for (const PathReport& path : report.paths) {
    html += "<tr><th scope=\"row\">" + Escape(path.path) + "</th><td>" +
            (path.family == IpAddress::Family::kV4 ? "IPv4" : "IPv6") + "</td>" +
            Bar(path.connect_ms.p50, connect, Number(path.connect_ms.p50, 0) + " ms") +
            Bar(path.rtt_ms.p50, round_trip, Number(path.rtt_ms.p50) + " ms") +
            Bar(path.loaded_rtt_ms.p50, round_trip, Number(path.loaded_rtt_ms.p50) + " ms") +
            Bar(path.mbytes_per_s, rate, Number(path.mbytes_per_s, 2) + " MB/s") +
            (path.cpu_ms_per_mb ? Bar(*path.cpu_ms_per_mb, cpu, Number(*path.cpu_ms_per_mb) + " ms/MB") : "") + "</tr>";
  }
  return html + "</tbody></table></div></section>";
}

std::string ListHtml(const std::string& title, const std::vector<std::string>& items) {
  if (items.empty()) return {};
  std::string html = "<section><h2>" + title + "</h2><ul>";
  for (const std::string& item : items) html += "<li>" + Escape(item) + "</li>";
  return html + "</ul></section>";
}

std::string KernelHtml(const Report& report) {
  const KernelCheck& kernel = report.kernel;
  if (kernel.cells.empty() && kernel.not_run.empty()) return {};
  std::string html = "<section><h2>With a kernel's NATs</h2>";
  if (!kernel.not_run.empty()) return html + "<p>Not run: " + Escape(kernel.not_run) + "</p></section>";
  std::string others;
  size_t agree = 0;
  for (const CellReport& cell : kernel.cells) {
    agree += cell.mismatches == 0 ? 1 : 0;
    if (cell.mismatches == 0) continue;
    others += "<li>" + Escape(netsim::ToString(cell.a)) + " → " + Escape(netsim::ToString(cell.b)) + ": " +
              Escape(cell.why) + "</li>";
  }
  html += "<p>" + std::to_string(agree) + " of " + std::to_string(kernel.cells.size()) +
          " cells with real sockets in network namespaces, behind NATs of nftables, end as in the simulation.</p>";
  return html + (others.empty() ? "" : "<ul>" + others + "</ul>") + "</section>";
}

std::string HowHtml(const Report& report) {
  std::string how =
      "Whole peers (ICE, DTLS, SCTP, data channels) in a simulated internet and in virtual time, from one seed: access "
      "links of 10 ms ± 2 ms without loss unless the scenario says otherwise, signalling a little slower than both, "
      "candidates "
      "gathered before they are signalled, a STUN and TURN server in the open over UDP, TCP and TLS. The same seed "
      "gives the same report, octet for octet.";
  if (report.engine != "sim") {
    how =
        "Peer processes with real sockets in network namespaces, behind a kernel's NATs, in real time: links without "
        "delay unless the scenario says otherwise, signalling a little slower than usual ones, a STUN and TURN server "
        "in the open "
        "over UDP and TCP, and over TLS for a path of its own.";
  }
  if (!report.scenario.empty()) how += " Scenario: " + Escape(report.scenario) + ".";
  if (!report.ways.empty()) how += " Options: " + Escape(report.ways) + ".";
  if (!report.environment.empty()) how += " Environment: " + Escape(report.environment) + ".";
  return "<section><h2>How it was measured</h2><p>" + how +
         "</p><p class=\"note\">In brackets: intervals with a confidence of 95 %, Wilson's for shares, order "
         "statistics "
         "for medians and percentiles.</p></section>";
}

std::vector<std::string> Reasons(const Report& report) {
  std::vector<std::string> reasons;
  for (const CellReport& cell : report.cells) {
    if (cell.why.empty() || cell.family != IpAddress::Family::kV4) continue;
    reasons.push_back(std::string(netsim::ToString(cell.a)) + " → " + std::string(netsim::ToString(cell.b)) + ": " +
                      cell.why);
  }
  return reasons;
}

}  // namespace

std::string ToHtml(const Report& report) {
  std::string html =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>jsp natlab</title><style>";
  html += kReportStyle;
  html += "</style></head><body><main><h1>NAT traversal: which pairs connect, and how fast</h1><p>" +
          std::to_string(report.cells.size()) + " cells, " + std::to_string(report.runs) + " run" +
          (report.runs == 1 ? "" : "s") + " each, <b>" + std::to_string(report.mismatches()) +
          " mismatches</b> with what the NAT types allow. Engine " + Escape(report.engine) + ", seed " +
          std::to_string(report.seed) + ".</p>";
  html += MixesHtml(report) + MatrixHtml(report, IpAddress::Family::kV4) + MatrixHtml(report, IpAddress::Family::kV6);
  html +=
      "<section><h2>The chosen cell</h2><div id=\"detail\" aria-live=\"polite\"></div></section><section><h2>Time to "
      "the "
      "first message</h2><p class=\"note\">Share of all runs, by milliseconds from the start of gathering: direct "
      "cells as a "
      "line, relayed ones dashed.</p><div id=\"cdf\"></div></section>";
  html += PathsHtml(report) + ListHtml("What changed", report.changes) + ListHtml("Why not direct", Reasons(report));
  html += KernelHtml(report) + HowHtml(report) + "<script type=\"application/json\" id=\"data\">";
  html += Embedded(ToJson(report)) + "</script><script>";
  html += kReportScript;
  return html + "</script></main></body></html>\n";
}

}  // namespace jsp::natlab
