#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "apps/verification.hpp"
#include "apps/with_client.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>

namespace weir {

namespace {

using json = nlohmann::ordered_json;

/// While readings come, two copies are at the same entry only now and then. So
/// many attempts find most of them, and bound what the asking costs the nodes.
constexpr size_t attempts_max = 30;
constexpr auto attempt_pause = std::chrono::milliseconds{100};

/// A shard that is handed over is away for a moment. So many looks tell that
/// from one that stays away.
constexpr size_t looks_max = 10;

/// Shards in one question: some 200 bytes each, and a message has to stay far
/// below CAF's limit.
constexpr size_t shards_per_question = 512;

/// For a node that reads whole journals, gigabytes at times.
constexpr auto journal_timeout = std::chrono::minutes{30};

/// For the state of large shards, which is hashed as a whole.
constexpr auto digest_timeout = std::chrono::minutes{2};

struct arguments {
  bool journal = false;
  bool json = false;
};

/// Asks all nodes at the same time, so that they are about equally far.
class examiner {
public:
  examiner(client& cluster, const process_settings& process)
    : cluster_(cluster), process_(process), self_(cluster.system()) {
    // nop
  }

  void connect(const std::vector<node_route>& nodes, verification& to);

  void ask(const std::vector<uint32_t>& shards, bool journal, verification& to);

private:
  struct link {
    std::string name;
    node_actor actor;
    bool lost = false;
  };

  client& cluster_;
  const process_settings& process_;
  caf::scoped_actor self_;
  std::vector<link> links_;
};

void examiner::connect(const std::vector<node_route>& nodes, verification& to) {
  auto timeout = std::chrono::milliseconds{process_.timeout};
  for (auto& x : nodes) {
    if (!x.up)
      continue;
    auto where = to_string(endpoint{x.listens.host, x.listens.port});
    auto who = hello{wire_version, cluster_.cluster(), "client", {}};
    auto found = cluster_.ask<dialed>(
      cluster_.dialer(), where, dial{x.listens, who, timeout}, 3 * timeout);
    if (found)
      links_.push_back({x.name, caf::actor_cast<node_actor>(found->actor)});
    else
      to.add_unreachable(x.name, found.error());
  }
}

void examiner::ask(const std::vector<uint32_t>& shards, bool journal,
                   verification& to) {
  auto timeout = journal ? std::chrono::milliseconds{journal_timeout}
                         : std::chrono::milliseconds{digest_timeout};
  for (auto i = size_t{0}; i < shards.size(); i += shards_per_question) {
    auto end = std::min(shards.size(), i + shards_per_question);
    auto at = [&](size_t pos) {
      return shards.begin() + static_cast<std::ptrdiff_t>(pos);
    };
    auto question = check_shards{{at(i), at(end)}, journal};
    auto send = [&](const link& x) {
      return self_->request(x.actor, timeout, question);
    };
    using answer = decltype(send(links_.front()));
    auto under_way = std::vector<std::pair<link*, answer>>{};
    for (auto& x : links_)
      if (!x.lost)
        under_way.emplace_back(&x, send(x));
    for (auto& [from, res] : under_way) {
      auto& x = *from;
      res.receive(
        [&](shard_checks& y) {
          for (auto& check : y.shards)
            to.add(x.name, check);
        },
        [&](caf::error& err) {
          x.lost = true;
          to.add_unreachable(x.name, to_failure(err, "node " + x.name));
        });
    }
  }
}

/// How the cluster is, and not in the middle of a handover.
result<cluster_status> settled_status(client& cluster) {
  for (auto i = size_t{1};; ++i) {
    auto res = cluster.ask<cluster_status>(get_status{});
    if (!res || i == looks_max)
      return res;
    auto served
      = std::all_of(res->shards.begin(), res->shards.end(), [](auto& x) {
          return x.state == "serving" || x.state == "moving";
        });
    if (served)
      return res;
    std::this_thread::sleep_for(attempt_pause);
  }
}

std::string summary(const findings& x, const verification& what) {
  if (x.wrong.empty() && x.unchecked.empty()) {
    auto res = fmt::format("all is well: {} copies are what their logs make "
                           "of them, and every reading is accounted for",
                           what.copies());
    if (what.journal_entries() > 0)
      res += fmt::format("; {} entries of journals were read",
                         what.journal_entries());
    return res;
  }
  auto res = std::string{};
  if (!x.wrong.empty())
    res = fmt::format("{} {} wrong", x.wrong.size(),
                      x.wrong.size() == 1 ? "thing is" : "things are");
  if (!x.unchecked.empty())
    res += fmt::format("{}{} could not be checked", res.empty() ? "" : ", ",
                       x.unchecked.size());
  return res;
}

void show(const findings& x, const verification& what, bool as_json) {
  if (as_json) {
    print_json({{"ok", x.wrong.empty() && x.unchecked.empty()},
                {"wrong", x.wrong},
                {"unchecked", x.unchecked},
                {"notes", x.notes},
                {"copies", what.copies()},
                {"journal_entries", what.journal_entries()},
                {"shards", what.to_json()}});
    return;
  }
  for (auto& text : x.wrong)
    print_line("wrong: " + text);
  for (auto& text : x.unchecked)
    print_line("not checked: " + text);
  for (auto& text : x.notes)
    print_line("note: " + text);
}

result<exit_code> run(client& cluster, const process_settings& process,
                      const arguments& opts) {
  auto before = settled_status(cluster);
  if (!before)
    return tl::unexpected(before.error());
  auto where = cluster.ask<routes>(get_routes{});
  if (!where)
    return tl::unexpected(where.error());
  auto all = verification{*before};
  auto nodes = examiner{cluster, process};
  nodes.connect(where->nodes, all);
  auto shards = std::vector<uint32_t>{};
  for (auto& x : before->shards)
    shards.push_back(x.shard);
  nodes.ask(shards, opts.journal, all);
  for (auto i = size_t{1}; i < attempts_max; ++i) {
    auto rest = all.open();
    if (rest.empty())
      break;
    std::this_thread::sleep_for(attempt_pause);
    nodes.ask(rest, false, all);
  }
  auto windows = cluster.ask<window_list>(get_windows{});
  if (!windows)
    return tl::unexpected(windows.error());
  auto after = settled_status(cluster);
  if (!after)
    return tl::unexpected(after.error());
  auto found = all.conclude(*after, *windows);
  show(found, all, opts.json);
  auto text = summary(found, all);
  if (found.wrong.empty() && found.unchecked.empty()) {
    if (!opts.json)
      print_line(text);
    return exit_code::ok;
  }
  complain(text);
  return found.wrong.empty() ? exit_code::unreachable : exit_code::failure;
}

runner declare(CLI::App& app) {
  app.description(
    "Prove that the cluster holds what it should.\n\n"
    "Asks every node for a hash of each of its copies, and compares those "
    "that\n"
    "have applied as much of the log; checks that every reading is accounted\n"
    "for, that every shard has its copies, and that no window lacks a part.\n"
    "Readings may go on meanwhile. Exit code 1: something is wrong; 4: "
    "nothing\n"
    "is, but not all could be checked.\n");
  auto opts = std::make_shared<arguments>();
  app.add_flag("--journal", opts->journal,
               "Each node reads its journals, too: every entry's checksum, and "
               "that none is missing. Commits wait while a shard's is read.");
  app.add_flag("--json", opts->json, "All that was seen, as one JSON object.");
  return with_client(app, opts, run);
}

} // namespace

command verify_command() {
  return {
    "verify",
    "Prove that copies are the same and every reading accounted for",
    {"weir verify", "weir verify --journal", "weir verify --json | jq .wrong"},
    declare,
    {}};
}

} // namespace weir
