#pragma once

#include "tls/channel.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

namespace weir {

/// What strangers may cost.
struct tls_door_limits {
  /// Connections whose handshake is not done; each costs a descriptor, and up
  /// to 200 KiB if it sends much. With one more the oldest one goes: whoever
  /// means it needs milliseconds, and who just holds a place loses it.
  size_t pending_max = 128;
  /// What the oldest one is given even so. Meanwhile others wait in the
  /// system's queue: a flood is taken in at `pending_max` in this time.
  std::chrono::milliseconds pending_time_min{100};
  /// A handshake takes a few round trips, and a few milliseconds of work.
  std::chrono::milliseconds handshake_timeout{5000};
};

/// Listens, and lets those in who have a certificate. Strangers get no further
/// than this class, which has a thread and sockets of its own: they can neither
/// keep the other threads busy nor reach any code but OpenSSL's.
class tls_door {
public:
  /// Gets a connection whose handshake is done. Called in the door's thread.
  using admit_fun = std::function<void(tls_channel)>;

  /// Gets a sentence about those who were turned away since the last one; at
  /// most one in `report_every`. Called in the door's thread.
  using report_fun = std::function<void(std::string)>;

  static constexpr std::chrono::seconds report_every{10};

  /// Fails with `ec::io_error` and the system's reason.
  /// @param port 0: any free one
  static result<std::unique_ptr<tls_door>> open(
    const std::string& host, uint16_t port, tls_context_ptr context,
    tls_door_limits limits, admit_fun admit, report_fun report);

  tls_door(const tls_door&) = delete;

  /// Stops listening. Nothing is called any more afterwards.
  ~tls_door();

  uint16_t port() const {
    return port_;
  }

private:
  tls_door(tcp_socket waker, uint16_t port);

  tcp_socket waker_;
  uint16_t port_;
  std::thread thread_;
};

} // namespace weir
