#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "bench/natlab/report.h"

namespace jsp::natlab {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--ink:#1b2330;--faint:#5a6577;--line:#d9dee6;
--direct:#bfe6cd;--relay:#ffe1a8;--none:#f5c0bb;--wrong:#b3261e;--bar:#1f5fd6;--tail:#9dbcf2}
@media(prefers-color-scheme:dark){:root{--ground:#12161d;--card:#1b212b;--ink:#e8ecf2;--faint:#9aa6b8;--line:#313a48;
--direct:#1d5a38;--relay:#6b4a10;--none:#6d2721;--wrong:#ff8a80;--bar:#7aa7ff;--tail:#34507f}}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:64rem;margin:0 auto;padding:1rem}h1{font-size:1.6rem;margin:.5rem 0}h2{font-size:1.1rem;margin:0 0 .6rem}
section{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:1rem;margin:1rem 0;overflow-x:auto}
p{margin:.3rem 0;color:var(--faint)}table{border-collapse:separate;border-spacing:3px}
th{font-weight:600;padding:.3rem .6rem;text-align:left}thead th{text-align:center}
td{padding:.45rem .7rem;border-radius:.35rem;text-align:center;min-width:6.5rem;font-variant-numeric:tabular-nums}
td small{display:block;color:var(--faint)}td.direct{background:var(--direct)}td.relay{background:var(--relay)}
td.none{background:var(--none)}td.wrong{outline:3px solid var(--wrong)}td.plain{text-align:right}
.legend span{display:inline-block;padding:.1rem .7rem;border-radius:.35rem;margin-right:.5rem;color:var(--ink)}
svg{display:block;max-width:100%;height:auto;font:13px system-ui,sans-serif}svg text{fill:var(--ink)}
svg .axis{stroke:var(--line)}svg .bar{fill:var(--bar)}svg .tail{fill:var(--tail)}svg .faint{fill:var(--faint)}
ul{margin:.3rem 0;padding-left:1.2rem}
)css";

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

std::string Number(double value, int digits = 1) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

const CellReport* Find(const Report& report, netsim::NatType a, netsim::NatType b) {
  const auto found = std::ranges::find_if(report.cells, [&](const auto& c) { return c.a == a && c.b == b; });
  return found == report.cells.end() ? nullptr : &*found;
}

Outcome Usual(const CellReport& cell) {
  if (cell.direct >= cell.relayed && cell.direct >= cell.none && cell.direct > 0) return Outcome::kDirect;
  return cell.relayed >= cell.none && cell.relayed > 0 ? Outcome::kRelay : Outcome::kNone;
}

std::string CellHtml(const CellReport& cell) {
  const Outcome outcome = Usual(cell);
  const auto times = Distribution::Of(cell.times_ms);
  std::string title = cell.why;
  for (const auto& [name, count] : cell.pair_types)
    title += (title.empty() ? "" : "; ") + name + " × " + std::to_string(count);
  std::string html = "<td class=\"" + std::string(ToString(outcome)) + (cell.mismatches > 0 ? " wrong" : "") +
                     "\" title=\"" + Escape(title) + "\">" + ToString(outcome);
  html += "<small>" + (times.count > 0 ? Number(times.p50) + " ms" : std::string("–")) + "</small></td>";
  return html;
}

std::string MatrixHtml(const Report& report) {
  std::string html =
      "<section><h2>Who reaches whom</h2><p class=\"legend\"><span style=\"background:var(--direct)\">direct"
      "</span><span style=\"background:var(--relay)\">relay</span><span style=\"background:var(--none)\">none"
      "</span> rows: side a, columns: side b; below, the median time to the first message. An outline marks "
      "a cell that differs from what its NATs' behaviours imply.</p><table><thead><tr><th></th>";
  for (const auto b : report.types) html += "<th scope=\"col\">" + Escape(netsim::ToString(b)) + "</th>";
  html += "</tr></thead><tbody>";
  for (const auto a : report.types) {
    html += "<tr><th scope=\"row\">" + Escape(netsim::ToString(a)) + "</th>";
    for (const auto b : report.types) {
      const CellReport* cell = Find(report, a, b);
      html += cell != nullptr ? CellHtml(*cell) : "<td></td>";
    }
    html += "</tr>";
  }
  return html + "</tbody></table></section>";
}

// One bar a cell: to the median, lighter on to the maximum.
std::string ChartHtml(const Report& report) {
  double top = 1;
  size_t rows = 0;
  for (const auto& cell : report.cells) {
    top = std::max(top, Distribution::Of(cell.times_ms).max);
    rows += cell.times_ms.empty() ? 0 : 1;
  }
  if (rows == 0) return {};
  const size_t height = rows * 26 + 40;
  std::string svg =
      "<section><h2>Time to the first message</h2><p>From the start of gathering until the other side has the "
      "message: the dark bar ends at the median, the light one at the maximum.</p><svg viewBox=\"0 0 900 " +
      std::to_string(height) + "\" width=\"900\" role=\"img\" aria-label=\"time to the first message by cell\">";
  for (int tick = 0; tick <= 4; ++tick) {
    const std::string x = Number(200 + 600.0 * tick / 4);
    svg +=
        "<line class=\"axis\" x1=\"" + x + "\" x2=\"" + x + "\" y1=\"4\" y2=\"" + std::to_string(height - 28) + "\"/>";
    svg += "<text class=\"faint\" text-anchor=\"middle\" x=\"" + x + "\" y=\"" + std::to_string(height - 10) + "\">" +
           Number(top * tick / 4, 0) + " ms</text>";
  }
  size_t row = 0;
  for (const auto& cell : report.cells) {
    const auto times = Distribution::Of(cell.times_ms);
    if (times.count == 0) continue;
    const std::string y = std::to_string(8 + 26 * row++);
    const std::string label = std::string(netsim::ToString(cell.a)) + " → " + std::string(netsim::ToString(cell.b));
    svg += "<text text-anchor=\"end\" x=\"190\" y=\"" + y + "\" dy=\"14\">" + Escape(label) + "</text>";
    svg += "<rect class=\"tail\" x=\"200\" y=\"" + y + "\" height=\"18\" width=\"" + Number(600 * times.max / top) +
           "\"/>";
    svg +=
        "<rect class=\"bar\" x=\"200\" y=\"" + y + "\" height=\"18\" width=\"" + Number(600 * times.p50 / top) + "\"/>";
    svg += "<text x=\"" + Number(206 + 600 * times.max / top) + "\" y=\"" + y + "\" dy=\"14\">" + Number(times.p50) +
           "</text>";
  }
  return svg + "</svg></section>";
}

std::string PathsHtml(const Report& report) {
  if (report.paths.empty()) return {};
  std::string html =
      "<section><h2>Paths</h2><table><thead><tr><th>path</th><th>connect, ms (median)</th>"
      "<th>round trip, ms (median)</th><th>MB/s</th></tr></thead><tbody>";
  for (const auto& path : report.paths) {
    html += "<tr><th scope=\"row\">" + Escape(path.path) + "</th><td class=\"plain\">" + Number(path.connect_ms.p50) +
            "</td><td class=\"plain\">" + Number(path.rtt_ms.p50, 3) + "</td><td class=\"plain\">" +
            Number(path.mbytes_per_s) + "</td></tr>";
  }
  return html + "</tbody></table></section>";
}

std::string ReasonsHtml(const Report& report) {
  std::string items;
  for (const auto& cell : report.cells) {
    if (cell.why.empty()) continue;
    items += "<li><b>" + Escape(netsim::ToString(cell.a)) + " → " + Escape(netsim::ToString(cell.b)) +
             "</b>: " + Escape(cell.why) + "</li>";
  }
  return items.empty() ? items : "<section><h2>Why not</h2><ul>" + items + "</ul></section>";
}

}  // namespace

std::string ToHtml(const Report& report) {
  std::string html =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>jsp natlab</title><style>";
  html += kStyle;
  html += "</style></head><body><main><h1>NAT traversal: which pairs connect, and how fast</h1><p>engine " +
          Escape(report.engine) + ", seed " + std::to_string(report.seed) + ", " + std::to_string(report.runs) +
          " run" + (report.runs == 1 ? "" : "s") + " a cell, " + std::to_string(report.cells.size()) + " cells, " +
          std::to_string(report.mismatches()) + " mismatches</p>";
  html += MatrixHtml(report) + ChartHtml(report) + PathsHtml(report) + ReasonsHtml(report);
  return html + "</main></body></html>\n";
}

}  // namespace jsp::natlab
