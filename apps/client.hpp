#pragma once

#include "actors/process.hpp"
#include "config/settings.hpp"
#include "messages/interfaces.hpp"
#include "messages/types.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <memory>
#include <string>

namespace weir {

/// A command's connection to a coordinator.
class client {
public:
  /// Connects to `x.join`. Fails with `timeout`, `unreachable` or `untrusted`.
  static result<std::unique_ptr<client>> connect(const process_settings& x);

  /// Without a connection, for those who connect by themselves. Fails if
  /// `x.tls_dir` is not what it should be, at every call or at none.
  static result<std::unique_ptr<client>> start(const process_settings& x);

  ~client();

  client(const client&) = delete;
  client& operator=(const client&) = delete;

  /// Asks the coordinator, and waits for the answer.
  template <class Reply, class Request>
  result<Reply> ask(const Request& x) {
    return ask<Reply>(coordinator_, "the coordinator", x);
  }

  template <class Reply, class Handle, class Request>
  result<Reply> ask(const Handle& whom, const std::string& name,
                    const Request& x, std::chrono::milliseconds timeout = {}) {
    auto res = result<Reply>{};
    if (timeout.count() == 0)
      timeout = std::chrono::milliseconds{process_.timeout};
    self_->request(whom, timeout, x)
      .receive(
        [&](Reply& y) {
          res = std::move(y);
        },
        [&](caf::error& err) {
          res = tl::unexpected(to_failure(err, name));
        });
    return res;
  }

  caf::actor_system& system() {
    return system_;
  }

  const dialer_actor& dialer() const {
    return dialer_;
  }

  const coordinator_actor& coordinator() const {
    return coordinator_;
  }

  const std::string& cluster() const {
    return cluster_;
  }

private:
  client(const process_settings& x, caf::actor_system& system);

  process_settings process_;
  caf::actor_system& system_;
  caf::scoped_actor self_;
  dialer_actor dialer_;
  coordinator_actor coordinator_;
  std::string cluster_;
};

} // namespace weir
