#include "actors/listener.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/make_counted.hpp>
#include <caf/send.hpp>

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

namespace weir {

namespace {

/// Accepted connections get file descriptors from this range in turn. Above
/// what a process opens by itself, below the usual `ulimit -n` of 1024.
constexpr int first_descriptor = 128;
constexpr int last_descriptor = 960;

/// A doorman whose connections don't get the descriptor of one that has just
/// been closed.
///
/// CAF 0.17.6 names connections after their descriptors, and cleans up after a
/// closed one by a message to itself. A connection that is accepted before that
/// message is handled, under the same descriptor, is cleaned up in its place:
/// it stays open, but nothing that is sent to it arrives any more.
class patient_doorman : public caf::io::network::doorman_impl {
public:
  using caf::io::network::doorman_impl::doorman_impl;

  bool new_connection() override {
    auto& fd = acceptor_.accepted_socket();
    auto moved = fcntl(fd, F_DUPFD_CLOEXEC, next_);
    // None is left above `next_`: begin again at the lower end.
    if (moved < 0 || moved > last_descriptor) {
      if (moved >= 0)
        close(moved);
      next_ = first_descriptor;
      moved = fcntl(fd, F_DUPFD_CLOEXEC, next_);
    }
    // With all of them taken, the old one is better than none.
    if (moved >= 0) {
      close(fd);
      fd = moved;
      next_ = moved + 1;
    }
    return doorman_impl::new_connection();
  }

private:
  int next_ = first_descriptor;
};

} // namespace

result<uint16_t> listen(caf::actor_system& system, const std::string& host,
                        uint16_t port, const caf::strong_actor_ptr& actor,
                        std::set<std::string> interface) {
  using namespace caf::io;
  auto& middleman = system.middleman();
  auto* backend
    = dynamic_cast<network::default_multiplexer*>(&middleman.backend());
  auto fd = backend != nullptr
              ? network::new_tcp_acceptor_impl(port, host.c_str(), true)
              : caf::expected<network::native_socket>{caf::sec::runtime_error};
  if (!fd)
    return fail(ec::io_error,
                fmt::format("can't listen on {}:{}: the port is taken, or the "
                            "address is not this machine's; choose another "
                            "--listen, or port 0 for any",
                            host, port));
  auto doorman = caf::make_counted<patient_doorman>(*backend, *fd);
  auto actual = doorman->port();
  // As the middleman does with a doorman of its own.
  caf::anon_send(middleman.named_broker<basp_broker>(caf::atom("BASP")),
                 caf::publish_atom::value, doorman_ptr{doorman}, actual, actor,
                 std::move(interface));
  return actual;
}

} // namespace weir
