#include "apps/backup_run.hpp"

#include "actors/clock.hpp"
#include "apps/commands.hpp"
#include "apps/output.hpp"
#include "cluster/peer_codec.hpp"
#include "storage/data_dir.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace weir {

namespace {

/// The nodes keep the logs of shards that are there already for a minute: their
/// ends are read more often than that.
constexpr auto keep_up_every = std::chrono::seconds{10};

/// Each time that a shard has to be read anew, since nobody had kept the log
/// behind what was there, a newer catalog is needed, too.
constexpr int rounds_max = 5;

/// What is wrong with what a node has sent, and not with the own disk.
bool is_of_sender(ec x) {
  return x == ec::damaged || x == ec::sequence_gap || x == ec::conflict
         || x == ec::malformed;
}

} // namespace

backup_run::backup_run(backup_source& source, const process_settings& process,
                       std::string directory)
  : source_(source), process_(process), directory_(std::move(directory)) {
  // nop
}

// -- trying again

result<void> backup_run::keep(result<void> x) {
  if (!x && !is_of_sender(x.error().code))
    stuck_ = x.error();
  return x;
}

/// `step(attempt) -> result<void>`, until it succeeds, or gets no further than
/// before for too long.
template <class Step>
result<void> backup_run::patiently(uint32_t shard, Step step) {
  auto deadline = clock::now() + patience();
  auto before = uint64_t{0};
  for (auto attempt = size_t{0};; ++attempt) {
    auto done = step(attempt);
    if (done)
      return done;
    if (stuck_)
      return tl::unexpected(*stuck_);
    auto& why = done.error();
    auto i = store_->all().find(shard);
    auto bytes = i != store_->all().end() ? i->second.bytes : 0;
    if (bytes > before)
      deadline = clock::now() + patience();
    before = std::max(before, bytes);
    if (clock::now() >= deadline)
      return fail(why.code,
                  fmt::format("shard {} can't be read: {}", shard, why.text));
    show(shard, why.text);
    std::this_thread::sleep_for(retry_pause);
    // Without an answer, the routes that are known have to do.
    static_cast<void>(source_.refresh());
  }
}

/// Asks the coordinator for the routes until it answers.
result<void> backup_run::refresh() {
  for (auto deadline = clock::now() + patience();;) {
    auto known = source_.refresh();
    if (known || clock::now() >= deadline)
      return known;
    line_.show("waiting: " + known.error().text);
    std::this_thread::sleep_for(retry_pause);
  }
}

// -- shards

result<void> backup_run::copy_checkpoint(uint32_t shard, size_t attempt) {
  auto copies = source_.where().shards.at(shard).backups.size() + 1;
  auto other = attempt % copies;
  auto begun = source_.ask<backup_begun>(begin_backup{shard, id_}, other);
  if (!begun)
    return tl::unexpected(std::move(begun.error()));
  auto meta = shard_meta{begun->from_index, begun->end, begun->meta};
  if (auto done = keep(store_->begin(shard, meta)); !done)
    return done;
  for (auto i = uint64_t{0}; i < begun->chunks; ++i) {
    auto chunk
      = source_.ask<backup_chunk>(read_backup_chunk{shard, id_, i}, other);
    if (!chunk)
      return tl::unexpected(std::move(chunk.error()));
    auto done = keep(store_->add_chunk(shard, chunk->bytes, chunk->covers));
    if (!done)
      return done;
    show(shard);
    keep_up(shard);
  }
  if (auto done = keep(store_->end_checkpoint(shard)); !done)
    return done;
  shards_[shard].based = true;
  return pull_log(shard, other, nullptr);
}

result<void> backup_run::append(uint32_t shard, const backup_log& x,
                                const catalog_horizon* horizon) {
  auto bytes = std::make_shared<const std::string>(x.bytes);
  auto message = decode_peer_message(bytes);
  if (!message)
    return tl::unexpected(std::move(message.error()));
  auto part = std::get_if<replicate>(&*message);
  if (part == nullptr)
    return fail(ec::malformed, "this is no part of a log");
  auto& entries = part->entries;
  if (horizon != nullptr) {
    auto beyond
      = std::find_if(entries.begin(), entries.end(), [&](auto& entry) {
          return !horizon->covers(*entry);
        });
    shards_[shard].cut = beyond != entries.end();
    entries.erase(beyond, entries.end());
  }
  auto done = keep(store_->append(shard, entries));
  return done ? keep(store_->commit()) : done;
}

/// As far as the log was committed when this began, or up to the horizon.
result<void> backup_run::pull_log(uint32_t shard, size_t other,
                                  const catalog_horizon* horizon) {
  auto& at = shards_[shard];
  auto target = std::optional<uint64_t>{};
  for (;;) {
    auto after = store_->at(shard).end.index;
    auto log
      = source_.ask<backup_log>(read_backup_log{shard, id_, after}, other);
    if (!log) {
      // It can't be continued, there at least.
      if (log.error().code == ec::not_found)
        at.based = false;
      return tl::unexpected(std::move(log.error()));
    }
    if (!target) {
      target = log->end.index;
      at.led = log->leads;
      at.epoch = log->epoch;
    }
    if (auto done = append(shard, *log, horizon); !done) {
      at.based = false;
      return done;
    }
    auto end = store_->at(shard).end.index;
    at.behind = log->end.index - std::min(end, log->end.index);
    show(shard);
    if (at.cut || end >= *target)
      return {};
    if (end == after)
      return fail(ec::malformed,
                  fmt::format("its log has no entry after {}", after));
    if (horizon == nullptr)
      keep_up(shard);
  }
}

/// Reads the ends of the logs that are there, so that the nodes may forget
/// them.
void backup_run::keep_up(uint32_t present) {
  if (clock::now() - kept_up_ < keep_up_every)
    return;
  kept_up_ = clock::now();
  for (auto& [shard, x] : shards_) {
    if (shard == present || !x.based || x.cut)
      continue;
    auto done = pull_log(shard, 0, nullptr);
    kept_up_ = clock::now();
    // Whoever is away keeps all others waiting; it is read again in the end.
    if (!done && (stuck_ || backup_source::is_lost(done.error())))
      return;
  }
}

// -- all of it

/// Up to the horizon, or to what the present primary has committed.
result<void> backup_run::finish_log(uint32_t shard,
                                    const catalog_horizon& horizon) {
  auto& at = shards_[shard];
  // Nobody can go on from where it ends.
  if (!at.based || at.cut)
    return {};
  if (auto done = pull_log(shard, 0, &horizon); !done)
    return at.based ? done : result<void>{};
  if (!at.cut && !at.led)
    return fail(ec::unavailable, "its node does not lead it any more");
  return {};
}

/// @returns whether every log is complete; else some shards have to be read
/// anew
result<bool> backup_run::finish_logs(const catalog_horizon& horizon) {
  for (auto& [shard, x] : shards_) {
    x.cut = false;
    auto done = patiently(shard, [&, id = shard](size_t) {
      return finish_log(id, horizon);
    });
    if (!done)
      return tl::unexpected(std::move(done.error()));
  }
  if (auto known = refresh(); !known)
    return tl::unexpected(std::move(known.error()));
  auto complete = true;
  for (auto& [shard, x] : shards_) {
    // Another node may have led it by then, and acknowledged more.
    auto done = patiently(shard, [&, id = shard, at = &x](size_t attempt) {
      auto led = [&] {
        return !at->based || at->cut
               || source_.where().shards.at(id).epoch == at->epoch;
      };
      if (attempt == 0 && led())
        return result<void>{};
      if (auto res = finish_log(id, horizon); !res)
        return res;
      if (auto known = source_.refresh(); !known)
        return known;
      if (!led())
        return result<void>{fail(ec::unavailable, "it is being handed over")};
      return result<void>{};
    });
    if (!done)
      return tl::unexpected(std::move(done.error()));
    complete = complete && x.based;
  }
  return complete;
}

result<backup_manifest> backup_run::run() {
  manifest_.started = wall_clock();
  manifest_.program = program_version();
  manifest_.wire = wire_version;
  auto id = random_id();
  if (!id)
    return tl::unexpected(std::move(id.error()));
  id_ = std::move(*id);
  if (auto known = source_.refresh(); !known)
    return tl::unexpected(std::move(known.error()));
  auto shards = static_cast<uint32_t>(source_.where().shards.size());
  auto store = backup_store::create(directory_, shards);
  if (!store)
    return tl::unexpected(std::move(store.error()));
  store_ = std::move(*store);
  for (auto i = uint32_t{0}; i < shards; ++i)
    shards_[i] = {};
  for (auto round = 1;; ++round) {
    for (auto& [shard, x] : shards_) {
      if (x.based)
        continue;
      auto done = patiently(shard, [&, id = shard, at = &x](size_t attempt) {
        return at->based ? pull_log(id, 0, nullptr)
                         : copy_checkpoint(id, attempt);
      });
      if (!done)
        return tl::unexpected(std::move(done.error()));
    }
    if (auto done = copy_catalog_file(); !done)
      return tl::unexpected(std::move(done.error()));
    auto horizon = read_catalog();
    if (!horizon)
      return tl::unexpected(std::move(horizon.error()));
    auto complete = finish_logs(*horizon);
    if (!complete)
      return tl::unexpected(std::move(complete.error()));
    if (*complete)
      break;
    if (round == rounds_max)
      return fail(ec::unavailable, "shards moved again and again; try again "
                                   "when the cluster has come to rest");
  }
  for (auto& [shard, x] : shards_)
    source_.tell(end_backup{shard, id_});
  line_.clear();
  return close();
}

result<backup_manifest> backup_run::close() {
  if (auto done = store_->finish(); !done)
    return tl::unexpected(std::move(done.error()));
  for (auto& [shard, x] : store_->all())
    manifest_.shards.push_back(x);
  for (auto& [shard, x] : shards_)
    manifest_.behind += x.behind;
  store_.reset();
  for (auto name : backup_file_names) {
    auto path = fmt::format("{}/{}", directory_, name);
    if (auto done = sync_file(path); !done)
      return tl::unexpected(std::move(done.error()));
    auto content = digest_file(path);
    if (!content)
      return tl::unexpected(std::move(content.error()));
    manifest_.files.push_back({name, *content});
  }
  manifest_.finished = wall_clock();
  return manifest_;
}

void backup_run::show(uint32_t shard, const std::string& trouble) {
  auto there = std::count_if(shards_.begin(), shards_.end(), [](auto& x) {
    return x.second.based;
  });
  auto bytes = uint64_t{0};
  for (auto& [id, x] : store_->all())
    bytes += x.bytes;
  auto text = fmt::format("{} of {} shards, {}", there, shards_.size(),
                          human_bytes(bytes));
  if (!trouble.empty())
    text += fmt::format("; waiting for shard {}: {}", shard, trouble);
  line_.show(text);
}

} // namespace weir
