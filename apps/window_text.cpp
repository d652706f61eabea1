#include "apps/window_text.hpp"

#include "apps/output.hpp"
#include "windows/time_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <string_view>

namespace weir {

namespace {

using json = nlohmann::ordered_json;

/// Shards that a sentence names. Lists of them may have been cut already, so it
/// does not count the others.
constexpr size_t shards_named = 4;

json to_json(const aggregate_value& x) {
  using limits = std::numeric_limits<int64_t>;
  switch (x.is) {
    case aggregate_value::kind::nothing:
      return nullptr;
    case aggregate_value::kind::integer:
      if (x.integer < limits::min() || x.integer > limits::max())
        return decimal(x.integer);
      return static_cast<int64_t>(x.integer);
    case aggregate_value::kind::real:
      return x.real;
    case aggregate_value::kind::overflow:
      break;
  }
  return "overflow";
}

json time_or_null(time_ms x) {
  return x >= 0 ? json(x) : json(nullptr);
}

json text_or_null(const std::string& x) {
  return x.empty() ? json(nullptr) : json(x);
}

const char* kind_name(window_holder::what x) {
  switch (x) {
    case window_holder::what::producer:
      return "producer";
    case window_holder::what::shard:
      return "shard";
    case window_holder::what::plan:
      return "plan";
    case window_holder::what::settling:
      return "settling";
    case window_holder::what::nobody:
      return "nobody";
    case window_holder::what::clock:
      break;
  }
  return "clock";
}

bool is_of_shard(const window_holder& x) {
  return x.kind == window_holder::what::shard
         || x.kind == window_holder::what::plan;
}

json to_json(const window_holder& x) {
  return {{"kind", kind_name(x.kind)},
          {"producer", text_or_null(x.producer)},
          {"shard", is_of_shard(x) ? json(x.shard) : json(nullptr)},
          {"node", text_or_null(x.node)},
          {"time_ms", time_or_null(x.time)},
          {"text", sentence(x)}};
}

/// They differ in nothing but the shard.
bool are_alike(const window_holder& x, const window_holder& y) {
  return is_of_shard(x) && x.kind == y.kind && x.node == y.node
         && x.text == y.text;
}

/// "shards 3 and 7 on node n2 have not sent their parts: node n2 is down"
std::string shards_sentence(const window_holder& x,
                            const std::vector<uint32_t>& shards) {
  auto one = shards.size() == 1;
  auto what = x.kind == window_holder::what::shard
                ? fmt::format("{} not sent {}", one ? "has" : "have",
                              one ? "its part" : "their parts")
                : fmt::format("{} not have the present windows yet",
                              one ? "does" : "do");
  return fmt::format("{}{} {}{}", shards_text(shards),
                     x.node.empty() ? "" : " on node " + x.node, what,
                     x.text.empty() ? "" : ": " + x.text);
}

std::string rule_text(const window_list& x) {
  auto res = every_text(x.every);
  if (x.every_pending >= 0)
    res += fmt::format(" (changing to {})", every_text(x.every_pending));
  return res;
}

/// A producer that has passed the window's end and lateness holds up others.
bool concerns(const window_holder& x, time_ms seals_at) {
  return x.kind != window_holder::what::producer || x.time < seals_at;
}

/// Calls `fn(name)` for every aggregate, in their order.
template <class Fn>
void for_each_name(Fn fn) {
  partial{}.for_each_aggregate([&](std::string_view name, const auto&) {
    fn(std::string{name});
  });
}

} // namespace

result<std::vector<window_row>> to_rows(const window_answer& x,
                                        const std::string& metric,
                                        bool so_far) {
  auto row = window_row{x.start, x.end, x.state, metric, std::nullopt};
  auto res = std::vector<window_row>{};
  for (auto& y : x.metrics) {
    auto in = byte_reader{y.total};
    row.metric = y.metric;
    if (!row.total.emplace().decode(in) || !in.done())
      return fail(ec::version_mismatch,
                  fmt::format("the totals of {} in {} do not decode; run the "
                              "same version of weir everywhere",
                              y.metric, bounds_text(x.start, x.end)));
    res.push_back(row);
  }
  if (!res.empty())
    return res;
  if (so_far || x.state == window_state::final)
    row.total.emplace();
  res.push_back(std::move(row));
  return res;
}

const char* state_name(window_state x) {
  switch (x) {
    case window_state::open:
      return "open";
    case window_state::complete:
      return "complete";
    case window_state::final:
      break;
  }
  return "final";
}

std::string every_text(time_ms every) {
  return every > 0 ? "every " + format_duration(every) : "every off";
}

std::string bounds_text(time_ms start, time_ms end) {
  return fmt::format("[{}, {})", format_time(start), format_time(end));
}

std::string metric_text(const window_row& x) {
  return x.metric.empty() ? "nothing" : x.metric;
}

std::string value_text(const aggregate_value& x) {
  switch (x.is) {
    case aggregate_value::kind::nothing:
      return "-";
    case aggregate_value::kind::integer:
      return decimal(x.integer);
    case aggregate_value::kind::real:
      return fmt::format("{}", x.real);
    case aggregate_value::kind::overflow:
      break;
  }
  return "overflow";
}

json to_json(const window_row& x) {
  auto res = json{{"window_start_ms", x.start},
                  {"window_end_ms", x.end},
                  {"state", state_name(x.state)},
                  {"metric", text_or_null(x.metric)}};
  if (!x.total)
    for_each_name([&](const std::string& name) {
      res[name] = nullptr;
    });
  else
    x.total->for_each_aggregate(
      [&](std::string_view name, const aggregate_value& y) {
        res[std::string{name}] = to_json(y);
      });
  return res;
}

std::string to_line(const window_row& x) {
  auto res = fmt::format("{} {}:", bounds_text(x.start, x.end), metric_text(x));
  if (!x.total)
    return fmt::format("{} {}", res, state_name(x.state));
  auto gap = " ";
  x.total->for_each_aggregate(
    [&](std::string_view name, const aggregate_value& y) {
      res += fmt::format("{}{} {}", gap, name, value_text(y));
      gap = ", ";
    });
  return res;
}

std::string to_table(const std::vector<window_row>& rows) {
  auto columns = std::vector<column>{{"START"}, {"END"}, {"STATE"}, {"METRIC"}};
  for_each_name([&](std::string name) {
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    columns.push_back({std::move(name), align::right});
  });
  auto table = text_table{columns};
  for (auto& x : rows) {
    auto cells = std::vector<std::string>{
      format_time(x.start), format_time(x.end), state_name(x.state), x.metric};
    if (x.total)
      x.total->for_each_aggregate(
        [&](std::string_view, const aggregate_value& y) {
          cells.push_back(value_text(y));
        });
    if (x.metric.empty())
      cells[3] = "-";
    cells.resize(columns.size(), "-");
    table.row(std::move(cells));
  }
  return table.str();
}

std::string sentence(const window_holder& x) {
  switch (x.kind) {
    case window_holder::what::producer:
      if (x.time < 0)
        return fmt::format("producer {} has not said yet how far it has come",
                           x.producer);
      return fmt::format("producer {} has come no further than {}", x.producer,
                         format_time(x.time));
    case window_holder::what::shard:
    case window_holder::what::plan:
      return shards_sentence(x, {x.shard});
    case window_holder::what::settling:
      return fmt::format("producers have until {} to come back after the "
                         "coordinator's restart",
                         format_time(x.time));
    case window_holder::what::nobody:
      return "no producer is connected that could say more; later readings, or "
             "`weir ingest --flush`, go on from here";
    case window_holder::what::clock:
      break;
  }
  return fmt::format("the wall clock has to reach {}", format_time(x.time));
}

std::vector<std::string> sentences(std::vector<window_holder> xs) {
  auto res = std::vector<std::string>{};
  while (!xs.empty()) {
    auto first = xs.front();
    auto shards = std::vector<uint32_t>{first.shard};
    xs.erase(xs.begin());
    auto rest = std::stable_partition(xs.begin(), xs.end(), [&](auto& x) {
      return !are_alike(x, first);
    });
    for (auto i = rest; i != xs.end(); ++i)
      shards.push_back(i->shard);
    xs.erase(rest, xs.end());
    res.push_back(is_of_shard(first) ? shards_sentence(first, shards)
                                     : sentence(first));
  }
  return res;
}

std::string shards_text(const std::vector<uint32_t>& shards) {
  auto named = std::min(shards.size(), shards_named);
  auto list = std::vector<std::string>{};
  for (auto i = size_t{0}; i < named; ++i)
    list.push_back(std::to_string(shards[i]));
  if (named < shards.size())
    list.push_back("others");
  auto last = list.back();
  list.pop_back();
  if (list.empty())
    return "shard " + last;
  return fmt::format("shards {} and {}", fmt::join(list, ", "), last);
}

std::vector<std::string> explain(const window_answer& x,
                                 const window_list& list) {
  auto window = "window " + bounds_text(x.start, x.end);
  auto seals_at = x.end + list.lateness;
  auto watermark = list.watermark >= 0
                     ? "the watermark is " + format_time(list.watermark)
                     : std::string{"there is no watermark yet"};
  if (x.state == window_state::final)
    return {window + " is final"};
  auto res = std::vector<std::string>{};
  if (x.closing)
    res.push_back(fmt::format("{} was closed by hand; it is final when all "
                              "shards have sent their parts",
                              window));
  else if (list.watermark >= seals_at)
    res.push_back(fmt::format("{} is complete: {}, past its end and lateness, "
                              "and it is final when all shards have sent their "
                              "parts",
                              window, watermark));
  else if (x.state == window_state::complete)
    res.push_back(fmt::format("{} is complete: {}, and late readings may "
                              "come until it reaches {}",
                              window, watermark, format_time(seals_at)));
  else
    res.push_back(fmt::format("{} is open: {}, and it has to reach {}, the "
                              "window's end and lateness",
                              window, watermark, format_time(seals_at)));
  auto holders = list.held_by;
  holders.erase(std::remove_if(holders.begin(), holders.end(),
                               [&](auto& y) {
                                 return !concerns(y, seals_at);
                               }),
                holders.end());
  for (auto& text : sentences(std::move(holders)))
    res.push_back("it waits because " + text);
  return res;
}

json to_json(const window_list& x) {
  auto res = json{{"every_ms", x.every},
                  {"every_from_ms", time_or_null(x.every_from)},
                  {"every_pending_ms", time_or_null(x.every_pending)},
                  {"lateness_ms", x.lateness},
                  {"plan_version", x.version},
                  {"watermark_ms", time_or_null(x.watermark)},
                  {"final_through_ms", time_or_null(x.final_through)}};
  auto& windows = res["windows"] = json::array();
  for (auto& y : x.windows)
    windows.push_back(
      {{"window_start_ms", y.start},
       {"window_end_ms", y.end},
       {"state", state_name(y.state)},
       {"readings", y.readings},
       {"closed_by_hand", y.closing},
       {"sequence",
        y.state == window_state::final ? json(y.sequence) : json(nullptr)}});
  res["more"] = x.more;
  res["missing_shards"] = x.missing;
  auto& holders = res["held_by"] = json::array();
  for (auto& y : x.held_by)
    holders.push_back(to_json(y));
  return res;
}

std::string to_text(const window_list& x) {
  auto since = [](time_ms time) {
    return time >= 0 ? format_time(time) : "not yet";
  };
  auto res = fmt::format("{}   lateness {}   watermark {}   final through {}\n",
                         rule_text(x), format_duration(x.lateness),
                         since(x.watermark), since(x.final_through));
  auto table = text_table{
    {{"START"}, {"END"}, {"STATE"}, {"READINGS", align::right}, {"NOTE"}}};
  for (auto& y : x.windows)
    table.row({format_time(y.start), format_time(y.end), state_name(y.state),
               std::to_string(y.readings), y.closing ? "closed by hand" : ""});
  res += x.windows.empty() ? "no windows\n" : table.str();
  if (x.more)
    res += "there are more; `weir query windows` shows those of a time\n";
  if (!x.missing.empty())
    res += fmt::format("not counted: readings of {}, which did not answer\n",
                       shards_text(x.missing));
  if (!x.held_by.empty())
    res += "the oldest window that is not final waits because\n";
  for (auto& text : sentences(x.held_by))
    res += fmt::format("  {}\n", text);
  return res;
}

} // namespace weir
