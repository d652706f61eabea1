#include "actors/tls_scribe.hpp"

#include "actors/descriptors.hpp"

#include <caf/io/middleman.hpp>
#include <caf/io/network/default_multiplexer.hpp>
#include <caf/io/network/stream_impl.hpp>
#include <caf/make_counted.hpp>

namespace weir {

namespace {

using namespace caf::io;

/// How a stream of CAF reads and writes. A transfer of nothing is a success to
/// it, after which it waits for the socket.
class tls_policy {
public:
  explicit tls_policy(tls_channel channel) : channel_(std::move(channel)) {
    // nop
  }

  network::rw_state read_some(size_t& bytes, network::native_socket, void* to,
                              size_t size) {
    return done(bytes, channel_.read(to, size));
  }

  network::rw_state write_some(size_t& bytes, network::native_socket,
                               const void* from, size_t size) {
    return done(bytes, channel_.write(from, size));
  }

  /// The socket does not tell of what is decrypted already.
  bool must_read_more(network::native_socket, size_t threshold) {
    auto bytes = channel_.buffered();
    return bytes > 0 && bytes >= threshold;
  }

private:
  static network::rw_state done(size_t& bytes, tls_channel::transfer x) {
    bytes = x.bytes;
    return x.state == tls_channel::progress::failed
             ? network::rw_state::failure
             : network::rw_state::success;
  }

  tls_channel channel_;
};

class tls_scribe : public scribe {
public:
  tls_scribe(network::default_multiplexer& backend, int fd, tls_channel channel)
    : scribe(network::conn_hdl_from_socket(fd)),
      stream_(backend, fd, std::move(channel)) {
    // nop
  }

  void configure_read(receive_policy::config x) override {
    stream_.configure_read(x);
    if (!started_)
      stream_.start(this);
    started_ = true;
  }

  void ack_writes(bool enable) override {
    stream_.ack_writes(enable);
  }

  std::vector<char>& wr_buf() override {
    return stream_.wr_buf();
  }

  std::vector<char>& rd_buf() override {
    return stream_.rd_buf();
  }

  void flush() override {
    stream_.flush(this);
  }

  void graceful_shutdown() override {
    stream_.graceful_shutdown();
    detach(&stream_.backend(), false);
  }

  std::string addr() const override {
    auto res = network::remote_addr_of_fd(stream_.fd());
    return res ? *res : std::string{};
  }

  uint16_t port() const override {
    auto res = network::remote_port_of_fd(stream_.fd());
    return res ? *res : uint16_t{0};
  }

  void add_to_loop() override {
    stream_.activate(this);
  }

  void remove_from_loop() override {
    stream_.passivate();
  }

private:
  bool started_ = false;
  network::stream_impl<tls_policy> stream_;
};

} // namespace

scribe_ptr make_tls_scribe(caf::actor_system& system, tls_channel channel) {
  // With none free, the one that it has is better than none.
  if (auto fd = next_descriptor(channel.socket()); fd >= 0)
    channel.move_to(tcp_socket{fd});
  auto& backend
    = static_cast<network::default_multiplexer&>(system.middleman().backend());
  // The stream closes it.
  auto fd = channel.release_socket();
  return caf::make_counted<tls_scribe>(backend, fd, std::move(channel));
}

} // namespace weir
