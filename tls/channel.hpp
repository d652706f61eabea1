#pragma once

#include "tls/context.hpp"
#include "tls/socket.hpp"

#include <array>

namespace weir {

/// What the one that accepts says, once it has accepted the other's
/// certificate. TLS 1.3 alone does not tell a client that it was refused
/// before it has read something.
constexpr std::string_view tls_greeting = "weir";

/// One end of an encrypted connection over a socket that doesn't block. It is
/// used by one thread at a time.
class tls_channel {
public:
  enum class side : uint8_t { accepting, connecting };

  enum class progress : uint8_t {
    done,
    /// Call again when the socket can be read, or written.
    wants_read,
    wants_write,
    /// The connection is of no use any more.
    failed,
  };

  struct transfer {
    progress state = progress::failed;
    size_t bytes = 0;
  };

  tls_channel(const tls_context& context, tcp_socket socket, side which);

  /// Goes on with the handshake, and then the greeting. Call until it is done
  /// or failed; reads and writes come after that.
  progress shake_hands();

  /// Why `shake_hands` failed. `ec::untrusted`: one end does not accept the
  /// other's certificate, or has none; `ec::unreachable` otherwise.
  /// @param whom the peer, in the sentence
  failure why(const std::string& whom) const;

  /// Reads what there is, at most `size` bytes.
  transfer read(void* to, size_t size);

  /// Writes what the socket takes. What was not taken has to be offered again.
  transfer write(const void* from, size_t size);

  /// Bytes that are decrypted, but not read: the socket doesn't show them.
  size_t buffered() const;

  int socket() const {
    return socket_.get();
  }

  /// Goes on with another descriptor of the same socket, and closes the old
  /// one. @pre the handshake is done
  void move_to(tcp_socket other);

  /// From now on the caller closes the socket, after the last use of this.
  int release_socket() {
    return socket_.release();
  }

private:
  enum class stage : uint8_t { handshake, greeting, open };

  progress finish(int code);
  progress greet();

  tcp_socket socket_;
  openssl_ptr<SSL> ssl_;
  side side_;
  stage stage_ = stage::handshake;
  std::array<char, tls_greeting.size()> greeting_{};
  size_t greeted_ = 0;
  /// OpenSSL's code of the failure; 0 if the connection just ended.
  unsigned long error_ = 0;
};

} // namespace weir
