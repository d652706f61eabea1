#include "tls/door.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <system_error>
#include <vector>

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

namespace weir {

namespace {

using clock = std::chrono::steady_clock;
using progress = tls_channel::progress;

/// Without descriptors or memory for another connection, accepting pauses: the
/// socket would be reported as ready again at once.
constexpr auto pause_without_room = std::chrono::milliseconds{100};

std::string name_of(const sockaddr_storage& x, socklen_t size) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&x), size, host,
                  sizeof(host), port, sizeof(port),
                  NI_NUMERICHOST | NI_NUMERICSERV)
      != 0)
    return "somebody";
  return fmt::format("{}:{}", host, port);
}

struct guest {
  tls_channel channel;
  std::string name;
  tcp_deadline arrived;
  short events = POLLIN;
};

/// What the door's thread does.
class doorkeeper {
public:
  doorkeeper(tcp_socket listener, int waker, tls_context_ptr context,
             tls_door_limits limits, tls_door::admit_fun admit,
             tls_door::report_fun report)
    : listener_(std::move(listener)),
      waker_(waker),
      context_(std::move(context)),
      limits_(limits),
      admit_(std::move(admit)),
      report_(std::move(report)) {
    // nop
  }

  void run() {
    while (wait()) {
      for (auto i = guests_.begin(); i != guests_.end();)
        i = attend(i);
      if (polled_[1].revents != 0)
        accept_all();
      report();
    }
  }

private:
  using iterator = std::list<guest>::iterator;

  /// False when the door closes.
  bool wait() {
    auto now = clock::now();
    polled_.clear();
    polled_.push_back({waker_, POLLIN, 0});
    // A negative descriptor is passed over.
    polled_.push_back({now < pause_until_ ? -1 : listener_.get(), POLLIN, 0});
    auto until = now < pause_until_ ? pause_until_ : tcp_deadline::max();
    for (auto& x : guests_) {
      polled_.push_back({x.channel.socket(), x.events, 0});
      until = std::min(until, x.arrived + limits_.handshake_timeout);
    }
    if (turned_away_ > 0)
      until = std::min(until, next_report_);
    auto timeout
      = until == tcp_deadline::max() ? -1 : milliseconds_until(until);
    if (poll(polled_.data(), polled_.size(), timeout) < 0)
      for (auto& x : polled_)
        x.revents = 0;
    auto next = polled_.begin() + 2;
    for (auto& x : guests_)
      x.events = (next++)->revents != 0 ? short{0} : x.events;
    return polled_[0].revents == 0;
  }

  /// Goes on with a handshake, if its socket is ready. Returns the next guest.
  iterator attend(iterator i) {
    if (clock::now() >= i->arrived + limits_.handshake_timeout)
      return turn_away(i, i->name + " did not finish its handshake in time");
    if (i->events != 0)
      return std::next(i);
    switch (i->channel.shake_hands()) {
      case progress::wants_read:
        i->events = POLLIN;
        break;
      case progress::wants_write:
        i->events = POLLOUT;
        break;
      case progress::failed:
        return turn_away(i, i->channel.why(i->name).text);
      case progress::done:
        admit_(std::move(i->channel));
        return guests_.erase(i);
    }
    return std::next(i);
  }

  void accept_all() {
    while (make_place()) {
      auto address = sockaddr_storage{};
      auto size = socklen_t{sizeof(address)};
      auto socket = tcp_socket{accept4(listener_.get(),
                                       reinterpret_cast<sockaddr*>(&address),
                                       &size, SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (!socket) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS
            || errno == ENOMEM)
          no_room(errno);
        return;
      }
      guests_.push_back(
        {{*context_, std::move(socket), tls_channel::side::accepting},
         name_of(address, size),
         clock::now()});
    }
  }

  /// False if everybody who waits came too recently to be sent away.
  bool make_place() {
    if (guests_.size() < limits_.pending_max)
      return true;
    auto& oldest = guests_.front();
    pause_until_ = oldest.arrived + limits_.pending_time_min;
    if (clock::now() < pause_until_)
      return false;
    turn_away(
      guests_.begin(),
      fmt::format("{} had not finished its handshake, and its place was "
                  "needed: {} others were waiting, too",
                  oldest.name, limits_.pending_max));
    return true;
  }

  void no_room(int error) {
    pause_until_ = clock::now() + pause_without_room;
    ++turned_away_;
    last_reason_ = fmt::format("no room for another connection: {}; see "
                               "`ulimit -n`",
                               std::strerror(error));
  }

  iterator turn_away(iterator i, std::string reason) {
    ++turned_away_;
    last_reason_ = std::move(reason);
    return guests_.erase(i);
  }

  void report() {
    auto now = clock::now();
    if (turned_away_ == 0 || now < next_report_)
      return;
    report_(turned_away_ == 1
              ? std::move(last_reason_)
              : fmt::format("{} connections were turned away; of the last "
                            "one: {}",
                            turned_away_, last_reason_));
    turned_away_ = 0;
    next_report_ = now + tls_door::report_every;
  }

  tcp_socket listener_;
  int waker_;
  tls_context_ptr context_;
  tls_door_limits limits_;
  tls_door::admit_fun admit_;
  tls_door::report_fun report_;
  /// The oldest one first. Of one whose socket is ready, `events` is 0.
  std::list<guest> guests_;
  std::vector<pollfd> polled_;
  tcp_deadline pause_until_{};
  uint64_t turned_away_ = 0;
  std::string last_reason_;
  tcp_deadline next_report_{};
};

} // namespace

tls_door::tls_door(tcp_socket waker, uint16_t port)
  : waker_(std::move(waker)), port_(port) {
  // nop
}

result<std::unique_ptr<tls_door>> tls_door::open(
  const std::string& host, uint16_t port, tls_context_ptr context,
  tls_door_limits limits, admit_fun admit, report_fun report) {
  auto listener = listen_tcp(host, port);
  if (!listener)
    return tl::unexpected(std::move(listener.error()));
  auto waker = tcp_socket{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!waker)
    return fail(ec::io_error, std::strerror(errno));
  auto actual = local_port(listener->get());
  auto wakes = waker.get();
  auto res = std::unique_ptr<tls_door>{new tls_door{std::move(waker), actual}};
  try {
    res->thread_
      = std::thread{[keeper = std::make_unique<doorkeeper>(
                       std::move(*listener), wakes, std::move(context), limits,
                       std::move(admit), std::move(report))] {
          keeper->run();
        }};
  } catch (const std::system_error& x) {
    return fail(ec::io_error, fmt::format("no thread: {}", x.what()));
  }
  return res;
}

tls_door::~tls_door() {
  // Fails only if it is readable already.
  eventfd_write(waker_.get(), 1);
  if (thread_.joinable())
    thread_.join();
}

} // namespace weir
