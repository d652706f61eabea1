#pragma once

#include "messages/interfaces.hpp"
#include "messages/types.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scheduler/test_coordinator.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <vector>

namespace weir::test {

using namespace std::chrono_literals;

/// An actor system that runs only when told to: one thread, a clock that stands
/// still, messages in FIFO order.
class actor_fixture {
public:
  actor_fixture()
    : system(configure(config)),
      self(system, true),
      scheduler(
        dynamic_cast<caf::scheduler::test_coordinator&>(system.scheduler())) {
    // nop
  }

  actor_fixture(const actor_fixture&) = delete;

  ~actor_fixture() {
    end();
  }

  /// Ends all actors that `spawn` made, the last one first: one that lives on
  /// would keep the system from its end. A fixture whose members they use calls
  /// it in its own destructor.
  void end() {
    while (!spawned_.empty()) {
      kill(spawned_.back());
      spawned_.pop_back();
    }
  }

  /// Spawns an actor that ends with the fixture.
  template <class F, class... Ts>
  auto spawn(F f, Ts&&... xs) {
    auto res = system.spawn(f, std::forward<Ts>(xs)...);
    spawned_.push_back(caf::actor_cast<caf::actor>(res));
    return res;
  }

  /// Delivers messages until none is left.
  void run() {
    scheduler.run();
  }

  /// Moves the clock in small steps, since alarms that are set again in between
  /// would ring once only, and delivers whatever becomes due.
  void advance(std::chrono::milliseconds delta) {
    run();
    for (auto step = 10ms; delta > 0ms; delta -= step) {
      step = std::min(step, delta);
      scheduler.advance_time(step);
      run();
    }
  }

  template <class Handle>
  void kill(const Handle& x,
            caf::exit_reason why = caf::exit_reason::user_shutdown) {
    caf::anon_send_exit(x, why);
    run();
  }

  template <class Handle, class Message>
  void tell(const Handle& to, Message x) {
    caf::anon_send(to, std::move(x));
    run();
  }

  /// Sends a request, runs the system dry, and returns the reply.
  template <class Reply, class Handle, class Request>
  result<Reply> ask(const Handle& to, const Request& msg) {
    auto res = result<Reply>{fail(ec::timeout, "no answer yet")};
    auto request = self->request(to, caf::infinite, msg);
    run();
    if (self->mailbox().empty())
      return res; // It would wait for ever.
    request.receive(
      [&](Reply& x) {
        res = std::move(x);
      },
      [&](caf::error& err) {
        res = tl::unexpected(to_failure(err, "the actor"));
      });
    return res;
  }

private:
  static caf::actor_system_config& configure(caf::actor_system_config& cfg) {
    cfg.set("scheduler.policy", caf::atom("testing"));
    cfg.set("logger.verbosity", caf::atom("quiet"));
    add_messages(cfg);
    return cfg;
  }

  caf::actor_system_config config;
  std::vector<caf::actor> spawned_;

public:
  caf::actor_system system;
  caf::scoped_actor self;
  caf::scheduler::test_coordinator& scheduler;
};

} // namespace weir::test
