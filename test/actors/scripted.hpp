#pragma once

#include "test/support/actor_fixture.hpp"

#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <spdlog/spdlog.h>

#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

// Actors that do what a test says, in place of those around the one under test.

namespace weir::test {

/// What actors log is of no interest here.
inline const auto silence = [] {
  spdlog::set_level(spdlog::level::off);
  return true;
}();

/// An actor that keeps every message it gets: `into` says where, by type.
template <class... Ts>
caf::behavior keep(std::vector<Ts>&... into) {
  return {[&into](const Ts& x) {
    into.push_back(x);
  }...};
}

/// Gives a scripted actor, which handles just what is expected of it, an
/// interface.
template <class Interface>
Interface play(const caf::actor& x) {
  return caf::actor_cast<Interface>(x);
}

/// Answers for whoever listens at a port.
class scripted_dialer {
public:
  struct door {
    caf::actor actor;
    std::string role;
  };

  std::map<uint16_t, door> doors;
  std::vector<dial> dials;

  caf::behavior behavior() {
    return {
      [this](const dial& x) -> caf::result<dialed> {
        dials.push_back(x);
        auto i = doors.find(x.to.port);
        if (i == doors.end())
          return to_error({ec::unreachable, "nobody answers"});
        auto& [actor, role] = i->second;
        return dialed{caf::actor_cast<caf::strong_actor_ptr>(actor),
                      welcome{wire_version, "c1", role, role}};
      },
    };
  }
};

/// A journal in memory.
class scripted_journal {
public:
  /// Nothing becomes durable, and no question is answered, until `release`.
  bool hold = false;
  /// What becomes of every entry while it is set.
  std::optional<failure> refuse;
  std::map<uint32_t, std::vector<entry_ptr>> logs;
  std::map<uint32_t, replica_record> records;
  std::vector<truncate_log> truncated;
  std::vector<uint32_t> removed;
  std::vector<bool> durability;

  caf::behavior behavior(caf::event_based_actor* self) {
    self_ = self;
    return {
      [this](const store_entry& x) {
        auto shard = self_->current_sender();
        wait([this, x, shard] {
          store(x.entry, shard);
        });
      },
      [this](const put_record& x) {
        auto shard = self_->current_sender();
        wait([this, x, shard] {
          records[x.record.config.shard] = x.record;
          caf::anon_send(caf::actor_cast<caf::actor>(shard),
                         record_stored{x.record.promised});
        });
      },
      [this](const load_record& x) {
        auto res = loaded_record{records[x.shard]};
        res.record.config.shard = x.shard;
        return res;
      },
      [](const settle_log&) {
        return false;
      },
      [this](const cut_log& x) -> caf::result<bool> {
        auto promise = self_->make_response_promise<bool>();
        wait([this, x, promise]() mutable {
          auto& log = logs[x.shard];
          while (!log.empty() && log.back()->index > x.after)
            log.pop_back();
          promise.deliver(true);
        });
        return promise;
      },
      [this](const read_log& x) -> caf::result<log_part> {
        auto promise = self_->make_response_promise<log_part>();
        wait([this, x, promise]() mutable {
          promise.deliver(read(x));
        });
        return promise;
      },
      [this](const commit_now&) {
        for (auto& x : std::exchange(waiting_, {}))
          x();
      },
      [this](const truncate_log& x) {
        truncated.push_back(x);
        auto& log = logs[x.shard];
        while (!log.empty() && log.front()->index <= x.upto)
          log.erase(log.begin());
      },
      [this](const remove_shard& x) -> caf::result<bool> {
        auto promise = self_->make_response_promise<bool>();
        wait([this, x, promise]() mutable {
          removed.push_back(x.shard);
          logs.erase(x.shard);
          promise.deliver(true);
        });
        return promise;
      },
      [this](const set_durability& x) {
        durability.push_back(x.survives_power_cut);
        return true;
      },
    };
  }

  /// Does all that waits, when its turn comes.
  void release() {
    hold = false;
    caf::anon_send(self_, commit_now{});
  }

  std::vector<entry_kind> kinds(uint32_t shard) const {
    auto res = std::vector<entry_kind>{};
    if (auto i = logs.find(shard); i != logs.end())
      for (auto& x : i->second)
        res.push_back(x->kind);
    return res;
  }

private:
  template <class F>
  void wait(F f) {
    if (hold)
      waiting_.push_back(f);
    else
      f();
  }

  void store(const entry_ptr& x, const caf::strong_actor_ptr& shard) {
    auto to = caf::actor_cast<caf::actor>(shard);
    if (refuse)
      return caf::anon_send(to, store_refused{x, *refuse});
    auto& log = logs[x->shard];
    // It may come again, if it was refused before or was on its way.
    if (log.empty() || log.back()->index < x->index) {
      // What a journal would refuse, too.
      REQUIRE((log.empty() || log.back()->index + 1 == x->index));
      log.push_back(x);
    }
    caf::anon_send(to, stored{{x->index, x->epoch, x->chain}});
  }

  log_part read(const read_log& x) {
    auto res = log_part{};
    for (auto& entry : logs[x.shard])
      if (entry->index >= x.from && res.entries.size() < 2)
        res.entries.push_back(entry);
    return res;
  }

  caf::event_based_actor* self_ = nullptr;
  std::vector<std::function<void()>> waiting_;
};

/// A checkpoint store in memory. It writes down what it is asked to do.
class scripted_checkpoints {
public:
  /// Every request fails while it is set.
  std::optional<failure> refuse;
  std::map<uint32_t, loaded_checkpoint> stored;
  std::vector<std::string> calls;

  caf::behavior behavior() {
    return {
      [this](const load_checkpoint& x) -> caf::result<loaded_checkpoint> {
        if (refuse)
          return to_error(*refuse);
        return stored[x.shard];
      },
      [this](const weigh_checkpoint& x) -> caf::result<checkpoint_advice> {
        calls.emplace_back("weigh");
        return checkpoint_advice{!stored[x.shard].found};
      },
      [this](const begin_checkpoint& x) {
        attempt_ = stored[x.shard];
        if (x.full)
          attempt_ = {};
        return step(x.full ? "begin full" : "begin");
      },
      [this](const put_chunk& x) {
        attempt_.chunks.push_back(x.chunk);
        return step("chunk");
      },
      [this](const finish_checkpoint& x) -> caf::result<checkpoint_stored> {
        if (!refuse) {
          attempt_.found = true;
          attempt_.meta = x.meta;
          stored[x.shard] = attempt_;
        }
        return step("finish");
      },
      [this](const abort_checkpoint&) {
        calls.emplace_back("abort");
      },
      [this](const remove_shard& x) {
        stored.erase(x.shard);
        return true;
      },
    };
  }

private:
  caf::result<checkpoint_stored> step(const char* call) {
    calls.emplace_back(call);
    if (refuse)
      return to_error(*refuse);
    return checkpoint_stored{};
  }

  loaded_checkpoint attempt_;
};

} // namespace weir::test
