#include "actors/listener.hpp"

#include "actors/descriptors.hpp"
#include "actors/process.hpp"
#include "actors/tls_scribe.hpp"
#include "tls/door.hpp"

#include <caf/io/basp_broker.hpp>
#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/doorman_impl.hpp>
#include <caf/make_counted.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/send.hpp>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>

#include <unistd.h>

namespace weir {

namespace {

using namespace caf::io;

/// The middleman closes a socket as soon as it gets to it.
constexpr auto close_timeout = std::chrono::seconds{1};

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
    // With all of them taken, the old one is better than none.
    if (auto moved = next_descriptor(fd); moved >= 0) {
      close(fd);
      fd = moved;
    }
    return doorman_impl::new_connection();
  }
};

result<uint16_t> cannot_listen(const std::string& host, uint16_t port) {
  return fail(ec::io_error,
              fmt::format("can't listen on {}:{}: the port is taken, or the "
                          "address is not this machine's; choose another "
                          "--listen, or port 0 for any",
                          host, port));
}

result<uint16_t> listen_plain(caf::actor_system& system,
                              const std::string& host, uint16_t port,
                              const caf::strong_actor_ptr& actor,
                              std::set<std::string> interface) {
  auto& middleman = system.middleman();
  auto* backend
    = dynamic_cast<network::default_multiplexer*>(&middleman.backend());
  auto fd = backend != nullptr
              ? network::new_tcp_acceptor_impl(port, host.c_str(), true)
              : caf::expected<network::native_socket>{caf::sec::runtime_error};
  if (!fd)
    return cannot_listen(host, port);
  auto doorman = caf::make_counted<patient_doorman>(*backend, *fd);
  auto actual = doorman->port();
  // As the middleman does with a doorman of its own.
  caf::anon_send(middleman.named_broker<basp_broker>(caf::atom("BASP")),
                 caf::publish_atom::value, doorman_ptr{doorman}, actual, actor,
                 std::move(interface));
  return actual;
}

result<uint16_t> listen_tls(caf::actor_system& system, tls_context_ptr tls,
                            const std::string& host, uint16_t port,
                            const caf::strong_actor_ptr& actor,
                            std::set<std::string> interface) {
  auto broker = system.middleman().named_broker<basp_broker>(caf::atom("BASP"));
  auto admit = [&system, broker, actor,
                interface = std::move(interface)](tls_channel x) {
    auto at = local_port(x.socket());
    // The broker publishes the actor for this one connection: it knows of no
    // door.
    caf::anon_send(broker, caf::publish_atom::value,
                   make_tls_scribe(system, std::move(x)), at, actor, interface);
  };
  auto report = [](const std::string& text) {
    spdlog::warn("{}", text);
  };
  auto door
    = tls_door::open(host, port, std::move(tls), {}, std::move(admit), report);
  if (!door)
    return cannot_listen(host, port);
  auto res = (*door)->port();
  // It is closed when nobody is behind it any more.
  actor->get()->attach_functor(
    [kept = std::shared_ptr<tls_door>{std::move(*door)}]() mutable {
      kept.reset();
    });
  return res;
}

} // namespace

result<void> check_listen_host(const std::string& host, bool encrypted) {
  auto local = is_loopback(host);
  if (!local)
    return tl::unexpected(std::move(local.error()));
  if (*local || encrypted)
    return {};
  return fail(ec::invalid_argument,
              fmt::format("refusing to listen on {}: whoever reaches the port "
                          "of a node without encryption controls it, so only "
                          "loopback addresses are allowed; give --tls-dir (see "
                          "`weir certs --help`), or use 127.0.0.1",
                          host));
}

result<uint16_t> listen(caf::actor_system& system, const std::string& host,
                        uint16_t port, const caf::strong_actor_ptr& actor,
                        std::set<std::string> interface) {
  if (auto tls = tls_of(system))
    return listen_tls(system, std::move(tls), host, port, actor,
                      std::move(interface));
  return listen_plain(system, host, port, actor, std::move(interface));
}

void stop_listening(caf::actor_system& system, uint16_t port) {
  if (tls_of(system))
    return;
  auto self = caf::scoped_actor{system};
  self
    ->request(system.middleman().named_broker<basp_broker>(caf::atom("BASP")),
              close_timeout, caf::close_atom::value, port)
    .receive([] {},
             [port](caf::error& err) {
               spdlog::warn("port {} can't be closed: {}", port,
                            to_failure(err, "the middleman").text);
             });
}

} // namespace weir
