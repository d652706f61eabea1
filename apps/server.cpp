#include "apps/server.hpp"

#include "actors/catalog_copier.hpp"
#include "actors/checkpointer.hpp"
#include "actors/clock.hpp"
#include "actors/coordinator_host.hpp"
#include "actors/dialer.hpp"
#include "actors/journal_writer.hpp"
#include "actors/listener.hpp"
#include "actors/node_host.hpp"
#include "actors/process.hpp"
#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "messages/types.hpp"
#include "storage/catalog.hpp"
#include "storage/catalog_copy.hpp"
#include "storage/data_dir.hpp"
#include "storage/file.hpp"
#include "storage/node_store.hpp"

#include <caf/actor_system.hpp>
#include <caf/after.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>
#include <map>
#include <mutex>

#include <unistd.h>

namespace weir {

namespace {

/// Version of what nodes write into their databases.
constexpr uint32_t data_format = 1;

/// A commit on a busy disk takes a while; a process that hangs helps nobody.
constexpr auto stop_timeout = std::chrono::seconds{10};

/// Why a server stops by itself. Set by an actor, read by the main thread.
class stop_reason {
public:
  void set(failure x) {
    auto lock = std::unique_lock{mutex_};
    if (!failure_)
      failure_ = std::move(x);
    kill(getpid(), SIGTERM);
  }

  std::optional<failure> get() {
    auto lock = std::unique_lock{mutex_};
    return failure_;
  }

private:
  std::mutex mutex_;
  std::optional<failure> failure_;
};

/// Keeps a database that is of no use out of the way.
result<void> put_aside(const std::string& path) {
  for (auto* suffix : {"-wal", ""}) {
    auto size = file_size(path + suffix);
    if (!size)
      return tl::unexpected(std::move(size.error()));
    if (!*size)
      continue;
    if (auto done = rename_file(path + suffix, path + ".damaged" + suffix);
        !done)
      return done;
  }
  return {};
}

/// The actors of a server, which stop before the system that runs them does.
class server {
public:
  server(server_role role, const resolved& options)
    : role_(role), options_(options), process_(options.values.process) {
    // nop
  }

  result<exit_code> run();

private:
  result<void> check_advertised() const;
  result<void> open_catalog();
  result<void> warn_about_settings() const;
  dialer_actor start_dialer();
  result<void> start_coordinator();
  result<void> start_node();
  result<copy_actor> start_copy();
  result<std::vector<uint32_t>> held_shards(journal& log,
                                            state_store& state) const;
  template <class Handle>
  result<uint16_t> publish(const Handle& actor, const endpoint& at);
  void stop();

  server_role role_;
  const resolved& options_;
  process_settings process_;
  stop_reason why_;
  std::optional<data_dir> dir_;
  std::shared_ptr<catalog> catalog_;
  catalog_contents contents_;
  caf::actor_system* system_ = nullptr;
  std::vector<caf::actor> actors_;
  std::vector<uint16_t> ports_;
  coordinator_actor coordinator_;
};

/// All addresses of a machine are none that somebody could be told to use.
result<void> server::check_advertised() const {
  auto& host = process_.listen.host;
  auto anywhere = host == "0.0.0.0" || host == "::";
  if (!anywhere || process_.advertise || role_ == server_role::coordinator)
    return {};
  return fail(
    ec::invalid_argument,
    fmt::format("a node that listens on {} has to tell others where "
                "they reach it: add --advertise HOST:0, with the name "
                "or address of this machine",
                host));
}

result<void> server::open_catalog() {
  auto path = dir_->file("coordinator.db");
  auto there = file_size(path);
  if (!there)
    return tl::unexpected(there.error());
  auto& cluster = dir_->who().cluster;
  // Opening it would make one, and the next start would take it for a new
  // cluster's.
  if (!*there && !cluster.empty())
    return fail(ec::damaged,
                fmt::format("{} belongs to cluster {}, but its coordinator.db "
                            "is gone; make it anew of what the nodes have "
                            "copied, see `weir admin rebuild-coordinator "
                            "--help`, or restore the directory from a copy",
                            dir_->path(), cluster));
  auto db = catalog::open(path);
  if (!db)
    return tl::unexpected(db.error());
  catalog_ = std::make_shared<catalog>(std::move(*db));
  auto contents = catalog_->load();
  if (!contents)
    return tl::unexpected(contents.error());
  contents_ = std::move(*contents);
  if (!contents_.cluster && !cluster.empty())
    return fail(ec::damaged,
                fmt::format("{} belongs to cluster {}, but {} holds none; "
                            "move that file out of it, and make it anew of "
                            "what the nodes have copied, see `weir admin "
                            "rebuild-coordinator --help`, or restore the "
                            "directory from a copy",
                            dir_->path(), cluster, path));
  auto lineage = catalog_->lineage();
  if (!lineage)
    return tl::unexpected(lineage.error());
  // Only in a copy there is the start that it holds.
  if (lineage->held.start != 0)
    return fail(ec::damaged,
                fmt::format("{} is a node's copy of a coordinator's directory, "
                            "which may lack what was decided last; move it "
                            "away, and use `weir admin rebuild-coordinator`",
                            path));
  if (contents_.cluster)
    return warn_about_settings();
  auto id = random_id();
  if (!id)
    return tl::unexpected(id.error());
  contents_.cluster = cluster_record{*id, wall_clock(), data_format};
  auto pairs = to_pairs(options_.values.cluster);
  contents_.settings[1] = {pairs.begin(), pairs.end()};
  if (auto done = catalog_->put_settings(1, contents_.settings[1]); !done)
    return done;
  return catalog_->put_cluster(*contents_.cluster);
}

result<void> server::warn_about_settings() const {
  if (contents_.settings.empty())
    return fail(ec::damaged, fmt::format("{} holds a cluster without settings",
                                         dir_->file("coordinator.db")));
  auto& kept = contents_.settings.rbegin()->second;
  for (auto& [name, value] : options_.given_cluster_settings())
    if (auto i = kept.find(name); i != kept.end() && i->second != value)
      spdlog::warn("{} = {} is not used: the cluster's {} is {}; change it "
                   "with `weir config set {}={}`",
                   name, value, name, i->second, name, value);
  return {};
}

template <class Handle>
result<uint16_t> server::publish(const Handle& actor, const endpoint& at) {
  auto res = listen(*system_, at.host, at.port,
                    caf::actor_cast<caf::strong_actor_ptr>(actor),
                    system_->message_types(actor));
  if (res)
    ports_.push_back(*res);
  return res;
}

dialer_actor server::start_dialer() {
  auto res = system_->spawn(dialer);
  actors_.push_back(caf::actor_cast<caf::actor>(res));
  return res;
}

result<void> server::start_coordinator() {
  if (auto done = open_catalog(); !done)
    return done;
  if (auto done = dir_->join(contents_.cluster->id); !done)
    return done;
  auto context = coordinator_context{};
  context.cluster = contents_.cluster->id;
  context.process = process_;
  context.store = catalog_;
  context.contents = contents_;
  context.start = dir_->who().incarnation;
  context.dialer = start_dialer();
  auto actor = system_->spawn(coordinator_host, std::move(context));
  actors_.push_back(caf::actor_cast<caf::actor>(actor));
  coordinator_ = actor;
  auto port = publish(coordinator_, process_.listen);
  if (!port)
    return tl::unexpected(port.error());
  process_.listen.port = *port;
  if (role_ == server_role::coordinator)
    print_line(
      fmt::format("weir coordinator ready at {}", to_string(process_.listen)));
  return {};
}

result<std::vector<uint32_t>> server::held_shards(journal& log,
                                                  state_store& state) const {
  auto logs = log.shards();
  if (!logs)
    return tl::unexpected(logs.error());
  auto checkpoints = state.shards();
  if (!checkpoints)
    return tl::unexpected(checkpoints.error());
  auto res = std::move(*logs);
  res.insert(res.end(), checkpoints->begin(), checkpoints->end());
  std::sort(res.begin(), res.end());
  res.erase(std::unique(res.begin(), res.end()), res.end());
  return res;
}

/// A copy that is damaged is put aside, and made anew: what was copied is in
/// other places, too.
result<copy_actor> server::start_copy() {
  auto path = dir_->file(coordinator_copy_name);
  auto db = catalog_copy::open(path);
  if (!db && db.error().code == ec::damaged) {
    spdlog::error("{}; it is put aside, and copied again", db.error().text);
    if (auto done = put_aside(path); !done)
      return tl::unexpected(std::move(done.error()));
    db = catalog_copy::open(path);
  }
  if (!db)
    return tl::unexpected(std::move(db.error()));
  auto res = system_->spawn<caf::detached>(
    catalog_copier, std::make_shared<catalog_copy>(std::move(*db)));
  actors_.push_back(caf::actor_cast<caf::actor>(res));
  return res;
}

result<void> server::start_node() {
  auto store = open_node_store(*dir_, contents_.shards, wall_clock());
  if (!store)
    return tl::unexpected(store.error());
  if (!store->news.empty())
    spdlog::error("{}; this is a new disk from now on, and its copies are made "
                  "anew where there are others",
                  store->news);
  auto held = held_shards(store->log, store->state);
  if (!held)
    return tl::unexpected(held.error());
  auto context = node_context{};
  context.node = dir_->who().node;
  context.disk = dir_->who().disk;
  context.incarnation = dir_->who().incarnation;
  context.cluster = dir_->who().cluster;
  context.name = dir_->who().name;
  context.process = process_;
  context.journal_path = dir_->file("journal.db");
  context.news = std::move(store->news);
  context.held = std::move(*held);
  context.version = program_version();
  context.coordinator = coordinator_;
  // Of a node without its databases nothing can be had, and its place is kept
  // for as long as it is there. A coordinator is of use without its node.
  auto on_failure = [this](const failure& x) {
    spdlog::critical("the node's databases take nothing more: {}", x.text);
    if (role_ == server_role::node)
      why_.set(x);
  };
  context.journal = system_->spawn<caf::detached>(
    journal_writer, std::make_shared<journal>(std::move(store->log)),
    on_disk_failure{on_failure});
  context.checkpoints = system_->spawn<caf::detached>(
    checkpointer, std::make_shared<state_store>(std::move(store->state)),
    on_disk_failure{on_failure});
  context.dialer = start_dialer();
  if (role_ == server_role::node) {
    auto copy = start_copy();
    if (!copy)
      return tl::unexpected(copy.error());
    context.copy = *copy;
  }
  for (auto& actor : {caf::actor_cast<caf::actor>(context.journal),
                      caf::actor_cast<caf::actor>(context.checkpoints)})
    actors_.push_back(actor);
  context.on_refused = [this](const failure& x) {
    why_.set(x);
  };
  auto ready = std::make_shared<bool>(false);
  auto listens = std::make_shared<endpoint>();
  context.on_joined = [this, ready, listens](const joined& x) -> result<void> {
    if (auto done = dir_->join(x.cluster); !done)
      return done;
    if (*ready)
      return {};
    *ready = true;
    if (role_ == server_role::both)
      print_line(fmt::format("weir serve ready at {} (node {} at {}, data in "
                             "{})",
                             to_string(process_.listen), x.name,
                             to_string(*listens), dir_->path()));
    else
      print_line(
        fmt::format("weir node {} ready at {}", x.name, to_string(*listens)));
    finish_stdout(exit_code::ok);
    return {};
  };
  // The port comes first: the coordinator is told of it.
  auto where = process_.listen;
  if (role_ == server_role::both
      || !options_.at("listen").given) // That is the coordinator's port.
    where.port = 0;
  auto actor = system_->spawn(node_host, context);
  auto port = publish(caf::actor_cast<node_actor>(actor), where);
  actors_.insert(actors_.begin(), caf::actor_cast<caf::actor>(actor));
  if (!port)
    return tl::unexpected(port.error());
  where.port = *port;
  auto reached = process_.advertise.value_or(where);
  if (reached.port == 0)
    reached.port = *port;
  *listens = reached;
  caf::anon_send(actor, listening{{reached.host, reached.port}});
  return {};
}

void server::stop() {
  if (system_ == nullptr)
    return;
  // Whoever lost the connection would find a process that answers no more.
  for (auto port : ports_)
    stop_listening(*system_, port);
  // The databases are closed when the actors that own them have ended.
  auto self = caf::scoped_actor{*system_};
  for (auto& actor : actors_) {
    self->monitor(actor);
    self->send_exit(actor, caf::exit_reason::user_shutdown);
  }
  for (auto left = actors_.size(); left > 0; --left)
    self->receive([](const caf::down_msg&) {},
                  caf::after(stop_timeout) >>
                    [&] {
                      spdlog::warn("{} actors did not stop in time", left);
                      left = 1;
                    });
  actors_.clear();
  coordinator_ = nullptr;
}

result<exit_code> server::run() {
  if (auto done = start_logging(process_); !done)
    return tl::unexpected(done.error());
  auto encrypted = !process_.tls_dir.empty();
  if (auto done = check_listen_host(process_.listen.host, encrypted); !done)
    return tl::unexpected(done.error());
  if (auto done = check_advertised(); !done)
    return tl::unexpected(done.error());
  auto tls = load_tls(process_);
  if (!tls)
    return tl::unexpected(tls.error());
  for (auto& text : tls->warnings)
    spdlog::warn("{}", text);
  // Before any thread exists, so that only `sigwait` below sees them.
  auto signals = sigset_t{};
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  auto dir = data_dir::open(process_.data, process_.name);
  if (!dir)
    return tl::unexpected(dir.error());
  dir_ = std::move(*dir);
  system_ = &start_system(tls->context);
  auto done = result<void>{};
  if (role_ != server_role::node)
    done = start_coordinator();
  if (done && role_ != server_role::coordinator)
    done = start_node();
  finish_stdout(exit_code::ok);
  if (done) {
    auto signal = 0;
    sigwait(&signals, &signal);
    spdlog::info("stopping");
  }
  stop();
  if (!done)
    return tl::unexpected(done.error());
  if (auto why = why_.get())
    return tl::unexpected(*why);
  return exit_code::ok;
}

} // namespace

result<exit_code> run_server(server_role role, const resolved& options) {
  return server{role, options}.run();
}

} // namespace weir
