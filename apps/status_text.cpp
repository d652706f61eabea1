#include "apps/status_text.hpp"

#include "apps/output.hpp"
#include "apps/window_text.hpp"
#include "config/settings.hpp"
#include "windows/time_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace weir {

namespace {

constexpr time_ms day = 86'400'000;

bool holds(const shard_status& x, const std::string& node) {
  return is_member(x, node)
         && std::any_of(x.copies.begin(), x.copies.end(), [&](auto& copy) {
              return copy.node == node
                     && (copy.role == "primary" || copy.role == "backup");
            });
}

bool is_up(const cluster_status& x, const std::string& name) {
  auto node = find_node(x, name);
  return node != nullptr && node->state != "down";
}

/// Why a shard has fewer copies than it shall have.
std::string why_few(const cluster_status& all, const shard_status& x) {
  auto coming = [&](const std::string& node) {
    return std::any_of(all.moves.begin(), all.moves.end(), [&](auto& move) {
      return move.shard == x.shard && move.to == node;
    });
  };
  auto res = std::string{};
  auto add
    = [&](const char* before, const std::string& node, const char* after) {
        res += fmt::format("{}{}node {}{}", res.empty() ? "" : ", ", before,
                           node, after);
      };
  // Members first: they have what the others are still to get.
  auto expected = x.backups;
  if (!x.primary.empty())
    expected.insert(expected.begin(), x.primary);
  for (auto& node : x.target)
    if (!is_member(x, node))
      expected.push_back(node);
  for (auto& node : expected) {
    if (holds(x, node))
      continue;
    if (!is_up(all, node))
      add("", node, " is down");
    else if (coming(node))
      add("it is being copied to ", node, "");
    else if (is_member(x, node))
      add("", node, " has to catch up");
    else
      add("a copy is to be made on ", node, "");
  }
  if (!res.empty())
    return res;
  for (auto& node : all.nodes)
    if (node.state == "down")
      add("", node.name, " is down");
  return res.empty() ? "there is no other node to hold one; start one"
                     : res + ", and there is no other one to hold a copy";
}

std::string copies_text(uint32_t n) {
  return fmt::format("{} {}", n, n == 1 ? "copy" : "copies");
}

std::string seen(time_ms x, time_ms now) {
  return x == 0 ? "never"
                : format_duration(std::max<time_ms>(0, now - x)) + " ago";
}

std::string listed(const std::vector<std::string>& xs) {
  auto res = std::string{};
  for (auto& x : xs)
    res += (res.empty() ? "" : " ") + x;
  return res.empty() ? "-" : res;
}

std::string nodes_table(const cluster_status& x, time_ms now) {
  auto table = text_table{{{"NODE"},
                           {"ADDRESS"},
                           {"STATE"},
                           {"SEEN"},
                           {"PRIMARIES", align::right},
                           {"BACKUPS", align::right},
                           {"ENTITIES", align::right},
                           {"READINGS", align::right},
                           {"MEMORY", align::right},
                           {"JOURNAL", align::right},
                           {"TROUBLE"}}};
  for (auto& node : x.nodes)
    table.row({node.name,
               to_string(endpoint{node.listens.host, node.listens.port}),
               state_text(node, now), seen(node.last_seen, now),
               std::to_string(node.primaries), std::to_string(node.backups),
               std::to_string(node.entities), human_rate(node.rate),
               human_bytes(node.memory_bytes), human_bytes(node.journal_bytes),
               node.trouble});
  return table.str();
}

std::string moves_table(const cluster_status& x) {
  auto table = text_table{{{"MOVING", align::right},
                           {"FROM"},
                           {"TO"},
                           {"SENT", align::right},
                           {"OF", align::right},
                           {"PACE", align::right},
                           {"LEFT", align::right}}};
  for (auto& move : x.moves) {
    auto left = left_of(move);
    // Milliseconds would pretend to know more than there is.
    auto left_text = left >= 0 ? format_duration((left + 999) / 1'000 * 1'000)
                               : std::string{"-"};
    table.row({fmt::format("shard {}", move.shard), move.from, move.to,
               human_bytes(move.bytes), human_bytes(move.bytes_in_all),
               human_bytes(pace_of(move)) + "/s", left_text});
  }
  return table.str();
}

std::string shards_table(const cluster_status& x) {
  auto table = text_table{{{"SHARD", align::right},
                           {"EPOCH", align::right},
                           {"PRIMARY"},
                           {"BACKUPS"},
                           {"TARGET"},
                           {"STATE"},
                           {"COPIES", align::right},
                           {"ENTITIES", align::right},
                           {"MEMORY", align::right},
                           {"ENTRIES", align::right},
                           {"TROUBLE"}}};
  for (auto& shard : x.shards)
    table.row({std::to_string(shard.shard), std::to_string(shard.epoch),
               shard.primary.empty() ? "-" : shard.primary,
               listed(shard.backups), listed(shard.target), shard.state,
               std::to_string(copies_of(shard)), std::to_string(shard.entities),
               human_bytes(shard.window_bytes), std::to_string(shard.index),
               shard.text});
  return table.str();
}

} // namespace

bool is_member(const shard_status& x, const std::string& node) {
  return x.primary == node
         || std::find(x.backups.begin(), x.backups.end(), node)
              != x.backups.end();
}

uint32_t copies_of(const shard_status& x) {
  auto n = std::count_if(x.copies.begin(), x.copies.end(), [&](auto& copy) {
    return holds(x, copy.node);
  });
  return static_cast<uint32_t>(n);
}

uint32_t copies_wanted(const cluster_status& x) {
  auto res = uint32_t{1};
  for (auto& [name, value] : x.settings.values)
    if (name == "replicas")
      std::from_chars(value.data(), value.data() + value.size(), res);
  return res;
}

const node_status* find_node(const cluster_status& x, const std::string& name) {
  auto i = std::find_if(x.nodes.begin(), x.nodes.end(), [&](auto& node) {
    return node.name == name;
  });
  return i != x.nodes.end() ? &*i : nullptr;
}

std::vector<copy_shortage> shortages(const cluster_status& x) {
  auto res = std::vector<copy_shortage>{};
  auto wanted = copies_wanted(x);
  for (auto& shard : x.shards) {
    auto copies = copies_of(shard);
    if (copies >= wanted || shard.state == "unavailable"
        || shard.state == "recovering")
      continue;
    auto why = why_few(x, shard);
    auto same = std::find_if(res.begin(), res.end(), [&](auto& y) {
      return y.copies == copies && y.why == why;
    });
    if (same == res.end())
      res.push_back({{shard.shard}, copies, wanted, std::move(why)});
    else
      same->shards.push_back(shard.shard);
  }
  return res;
}

std::string sentence(const copy_shortage& x) {
  return fmt::format("{} {} {} of {} copies: {}", shards_text(x.shards),
                     x.shards.size() == 1 ? "has" : "have", x.copies, x.wanted,
                     x.why);
}

std::string copies_line(const cluster_status& x) {
  auto kinds = std::map<std::pair<std::string, uint32_t>, size_t>{};
  for (auto& shard : x.shards)
    ++kinds[{shard.state, copies_of(shard)}];
  // Most shards first.
  auto parts = std::vector<std::pair<size_t, std::string>>{};
  for (auto& [kind, n] : kinds)
    parts.emplace_back(
      n, fmt::format("{} {} with {}", n, kind.first, copies_text(kind.second)));
  std::stable_sort(parts.begin(), parts.end(), [](auto& a, auto& b) {
    return a.first > b.first;
  });
  auto res = fmt::format("{} shards:", x.shards.size());
  auto sep = " ";
  for (auto& [n, text] : parts) {
    res += sep + text;
    sep = ", ";
  }
  return res;
}

uint64_t pace_of(const move_status& x) {
  if (x.elapsed <= 0)
    return 0;
  return static_cast<uint64_t>(static_cast<double>(x.bytes) * 1'000
                               / static_cast<double>(x.elapsed));
}

time_ms left_of(const move_status& x) {
  auto pace = pace_of(x);
  if (pace == 0)
    return -1;
  auto rest = x.bytes_in_all > x.bytes ? x.bytes_in_all - x.bytes : 0;
  return static_cast<time_ms>(static_cast<double>(rest) * 1'000
                              / static_cast<double>(pace));
}

std::string state_text(const node_status& x, time_ms now) {
  if (x.state == "drained")
    return "drained: safe to stop";
  if (x.state != "down")
    return x.state;
  if (x.last_seen == 0)
    return "down";
  auto text = format_time(x.last_seen);
  // "2023-11-14T22:13:20.000Z": its day, or its time of today.
  auto today = x.last_seen / day == now / day;
  return "down since "
         + (today ? text.substr(11, 8) + "Z" : text.substr(0, 10));
}

std::string to_text(const ledger_counts& x) {
  auto table = text_table{{{"LEDGER"}, {"READINGS", align::right}}};
  auto row = [&](const char* name, uint64_t n) {
    table.row({name, std::to_string(n)});
  };
  row("received", x.received);
  row("accepted", x.accepted);
  row("duplicate", x.duplicate);
  row("late", x.late);
  row("future", x.future);
  row("malformed", x.malformed);
  row("refused", x.refused);
  return table.str();
}

std::string to_text(const rollup_counts& x) {
  auto table = text_table{{{"ROLLUP"}, {"READINGS", align::right}}};
  auto row = [&](const char* name, uint64_t n) {
    table.row({name, std::to_string(n)});
  };
  row("in windows", x.in);
  row("late", x.late);
  row("outside", x.outside);
  row("refused", x.refused);
  return table.str();
}

std::string to_text(const cluster_status& x, bool shards, time_ms now) {
  auto time = [](time_ms y) {
    return y >= 0 ? format_time(y) : "not yet";
  };
  auto res
    = fmt::format("cluster {}   clock {}   watermark {}   {}\n", x.cluster,
                  time(x.clock), time(x.watermark), human_rate(x.rate));
  res += nodes_table(x, now);
  res += copies_line(x) + '\n';
  for (auto& shortage : shortages(x))
    res += sentence(shortage) + '\n';
  for (auto& shard : x.shards)
    if (shard.state == "unavailable")
      res += fmt::format("shard {} is unavailable: {}\n", shard.shard,
                         shard.text);
  if (!x.moves.empty())
    res += moves_table(x);
  if (shards)
    res += shards_table(x);
  return res + to_text(x.ledger) + to_text(x.rollup);
}

} // namespace weir
