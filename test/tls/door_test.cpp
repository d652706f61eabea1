#include "tls/door.hpp"

#include "test/tls/support.hpp"
#include "tls/dial.hpp"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

using namespace weir;
using namespace weir::test;
using namespace std::chrono_literals;

namespace {

constexpr auto patience = 20s;

struct fixture : certificates {
  fixture() {
    init("ca", now);
    server = certificates::unchecked(add("server", "ca", now));
    client = certificates::unchecked(add("client", "ca", now));
  }

  /// Opens the door; admitted connections are kept.
  void open(tls_door_limits limits = {}) {
    door = must(tls_door::open(
      "127.0.0.1", 0, server, limits,
      [this](tls_channel x) {
        auto lock = std::unique_lock{mutex};
        admitted.push_back(std::move(x));
        changed.notify_all();
      },
      [this](const std::string& text) {
        auto lock = std::unique_lock{mutex};
        reports.push_back(text);
        changed.notify_all();
      }));
  }

  result<tls_channel> dial(const tls_context& as) const {
    return dial_tls(as, "127.0.0.1", door->port(), patience);
  }

  /// A connection that does not speak TLS by itself.
  tcp_socket knock() const {
    return must(connect_tcp("127.0.0.1", door->port(),
                            std::chrono::steady_clock::now() + patience));
  }

  /// Whether the other end closes the connection, whatever it says before.
  static bool is_closed(const tcp_socket& x) {
    char buffer[4096];
    for (;;) {
      auto waiting = pollfd{x.get(), POLLIN, 0};
      if (poll(&waiting, 1, std::chrono::milliseconds{patience}.count()) <= 0)
        return false;
      if (recv(x.get(), buffer, sizeof(buffer), 0) <= 0)
        return true;
    }
  }

  void wait_for_reports(size_t n) {
    auto lock = std::unique_lock{mutex};
    CHECK(changed.wait_for(lock, patience, [&] {
      return reports.size() >= n;
    }));
  }

  tls_channel& wait_for_admitted(size_t n) {
    auto lock = std::unique_lock{mutex};
    REQUIRE(changed.wait_for(lock, patience, [&] {
      return admitted.size() >= n;
    }));
    return admitted[n - 1];
  }

  tls_context_ptr server;
  tls_context_ptr client;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<tls_channel> admitted;
  std::vector<std::string> reports;
  std::unique_ptr<tls_door> door;
};

/// Reads exactly `size` bytes.
std::string read_all(tls_channel& from, size_t size) {
  auto res = std::string{};
  char buffer[4096];
  while (res.size() < size) {
    auto got = from.read(buffer, std::min(sizeof(buffer), size - res.size()));
    REQUIRE(got.state != tls_channel::progress::failed);
    res.append(buffer, got.bytes);
    auto waiting = pollfd{from.socket(), POLLIN, 0};
    if (got.bytes == 0)
      REQUIRE(poll(&waiting, 1, 20'000) == 1);
  }
  return res;
}

void write_all(tls_channel& to, std::string_view text) {
  while (!text.empty()) {
    auto put = to.write(text.data(), text.size());
    REQUIRE(put.state != tls_channel::progress::failed);
    text.remove_prefix(put.bytes);
  }
}

} // namespace

TEST_SUITE("tls/door") {
  TEST_CASE_FIXTURE(fixture, "who has a certificate is let in") {
    open();
    auto mine = must(dial(*client));
    auto& theirs = wait_for_admitted(1);
    write_all(mine, "hello");
    CHECK(read_all(theirs, 5) == "hello");
    write_all(theirs, "welcome");
    CHECK(read_all(mine, 7) == "welcome");
  }

  TEST_CASE_FIXTURE(fixture, "nothing is read ahead of the handshake") {
    open();
    auto mine = must(dial(*client));
    write_all(mine, "early");
    auto& theirs = wait_for_admitted(1);
    CHECK(theirs.buffered() == 0);
    CHECK(mine.buffered() == 0);
    CHECK(read_all(theirs, 5) == "early");
  }

  TEST_CASE_FIXTURE(fixture, "a connection goes on under another descriptor") {
    open();
    auto mine = must(dial(*client));
    auto before = mine.socket();
    mine.move_to(tcp_socket{dup(before)});
    CHECK(mine.socket() != before);
    write_all(mine, "hello");
    CHECK(read_all(wait_for_admitted(1), 5) == "hello");
  }

  TEST_CASE_FIXTURE(fixture, "files may vanish while the door is open") {
    open();
    std::filesystem::remove_all(path);
    must(dial(*client));
    wait_for_admitted(1);
  }

  TEST_CASE_FIXTURE(fixture, "a certificate of another CA is turned away") {
    open();
    init("other", now);
    auto stranger = certificates::unchecked(add("x", "other", now));
    auto res = dial(*stranger);
    CHECK(code_of(res) == ec::untrusted);
    // It does not take ours, either, and looks first.
    CHECK(contains(text_of(res),
                   "is not accepted here (another CA has issued it)"));
    wait_for_reports(1);
    CHECK(contains(reports[0], "did not accept our certificate"));
    CHECK(admitted.empty());
  }

  TEST_CASE_FIXTURE(fixture, "so is one that only claims to be of our CA") {
    open();
    init("other", now);
    add("x", "other", now);
    // A stranger that trusts us.
    write("x/ca.pem", read("ca/ca.pem"));
    auto res = dial(*certificates::unchecked(file("x")));
    CHECK(code_of(res) == ec::untrusted);
    CHECK(contains(text_of(res), "did not accept our certificate"));
    CHECK(contains(text_of(res), "weir certs show"));
    wait_for_reports(1);
    CHECK(contains(reports[0], "the certificate of 127.0.0.1:"));
    CHECK(contains(reports[0], "is not accepted here"));
    CHECK(admitted.empty());
  }

  TEST_CASE_FIXTURE(fixture, "so is one that has expired") {
    open();
    auto late = certificates::unchecked(add("x", "ca", now - 10 * a_day, 5));
    auto res = dial(*late);
    CHECK(code_of(res) == ec::untrusted);
    CHECK(contains(text_of(res), "expired"));
    wait_for_reports(1);
    CHECK(contains(reports[0], "certificate has expired"));
  }

  TEST_CASE_FIXTURE(fixture, "so is one that is for something else") {
    open();
    write("server/cert.pem", read("ca/ca.pem"));
    write("server/key.pem", read("ca/ca-key.pem"));
    auto res = dial(*certificates::unchecked(file("server")));
    CHECK(code_of(res) == ec::untrusted);
    wait_for_reports(1);
    CHECK(admitted.empty());
  }

  TEST_CASE_FIXTURE(fixture, "who has no certificate is turned away") {
    open();
    auto context = openssl_ptr<SSL_CTX>{SSL_CTX_new(TLS_client_method())};
    auto socket = knock();
    auto ssl = openssl_ptr<SSL>{SSL_new(context.get())};
    SSL_set_fd(ssl.get(), socket.get());
    SSL_set_connect_state(ssl.get());
    while (SSL_do_handshake(ssl.get()) != 1) {
      auto waiting = pollfd{socket.get(), POLLIN, 0};
      REQUIRE(poll(&waiting, 1, 20'000) == 1);
    }
    wait_for_reports(1);
    CHECK(contains(reports[0], "has shown no certificate"));
    CHECK(is_closed(socket));
    CHECK(admitted.empty());
  }

  TEST_CASE_FIXTURE(fixture, "older versions of TLS are turned away") {
    open();
    auto old = certificates::unchecked(file("client"));
    SSL_CTX_set_min_proto_version(old->get(), TLS1_2_VERSION);
    SSL_CTX_set_max_proto_version(old->get(), TLS1_2_VERSION);
    auto res = dial(*old);
    CHECK(code_of(res) == ec::unreachable);
    CHECK(contains(text_of(res), "ended the handshake of TLS"));
  }

  TEST_CASE_FIXTURE(fixture, "garbage is turned away") {
    open();
    for (auto& bytes :
         {std::string{"GET / HTTP/1.1\r\n\r\n"}, std::string(1 << 20, '\0'),
          std::string(100'000, '\x16'),
          std::string{"\x16\x03\x01\xff\xff", 5} + std::string(70'000, 'x')}) {
      auto socket = knock();
      auto rest = std::string_view{bytes};
      while (!rest.empty()) {
        auto waiting = pollfd{socket.get(), POLLOUT, 0};
        REQUIRE(poll(&waiting, 1, 20'000) == 1);
        auto n = send(socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (n <= 0)
          break;
        rest.remove_prefix(static_cast<size_t>(n));
      }
      CHECK(is_closed(socket));
    }
    wait_for_reports(1);
    must(dial(*client));
  }

  TEST_CASE_FIXTURE(fixture, "who says nothing is turned away after a while") {
    auto limits = tls_door_limits{};
    limits.handshake_timeout = 50ms;
    open(limits);
    CHECK(is_closed(knock()));
    wait_for_reports(1);
    CHECK(contains(reports[0], "did not finish its handshake in time"));
  }

  TEST_CASE_FIXTURE(fixture, "so is who says a little again and again") {
    auto limits = tls_door_limits{};
    limits.handshake_timeout = 200ms;
    open(limits);
    auto socket = knock();
    // The beginning of a long handshake.
    auto begin
      = std::string{"\x16\x03\x01\x40\x00\x01\x00\x3f\xfc\x03\x03", 11};
    REQUIRE(send(socket.get(), begin.data(), begin.size(), MSG_NOSIGNAL) > 0);
    auto begun = std::chrono::steady_clock::now();
    auto waiting = pollfd{socket.get(), POLLIN, 0};
    while (poll(&waiting, 1, 1) == 0
           && std::chrono::steady_clock::now() < begun + patience)
      send(socket.get(), "x", 1, MSG_NOSIGNAL);
    CHECK(std::chrono::steady_clock::now() - begun < 10s);
    wait_for_reports(1);
  }

  TEST_CASE_FIXTURE(fixture, "who holds a place loses it to those who come") {
    auto limits = tls_door_limits{};
    limits.pending_max = 4;
    limits.pending_time_min = 10ms;
    limits.handshake_timeout = 1h;
    open(limits);
    auto idle = std::vector<tcp_socket>{};
    for (auto i = 0; i < 20; ++i)
      idle.push_back(knock());
    must(dial(*client));
    for (auto i = size_t{0}; i < 16; ++i)
      CHECK(is_closed(idle[i]));
    wait_for_reports(1);
    CHECK(contains(reports[0], "its place was needed"));
  }

  TEST_CASE_FIXTURE(fixture, "many come at once, and all are let in") {
    auto limits = tls_door_limits{};
    limits.pending_max = 4;
    open(limits);
    auto callers = std::vector<std::thread>{};
    auto failed = std::atomic<int>{0};
    for (auto i = 0; i < 8; ++i)
      callers.emplace_back([&] {
        for (auto n = 0; n < 5; ++n)
          if (!dial(*client))
            ++failed;
      });
    for (auto& x : callers)
      x.join();
    CHECK(failed == 0);
    wait_for_admitted(40);
  }

  TEST_CASE_FIXTURE(fixture, "reports are few, and count the others") {
    open();
    for (auto i = 0; i < 10; ++i) {
      auto socket = knock();
      send(socket.get(), "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL);
      CHECK(is_closed(socket));
    }
    must(dial(*client));
    wait_for_admitted(1);
    CHECK(reports.size() == 1);
    CHECK(contains(reports[0], "does not speak TLS"));
  }

  TEST_CASE_FIXTURE(fixture, "a closed door takes nobody in") {
    open();
    auto port = door->port();
    auto waiting = knock();
    door = nullptr;
    CHECK(is_closed(waiting));
    CHECK(code_of(dial_tls(*client, "127.0.0.1", port, patience))
          == ec::unreachable);
  }

  TEST_CASE_FIXTURE(fixture, "a port that is taken is no place for a door") {
    open();
    auto res = tls_door::open(
      "127.0.0.1", door->port(), server, {}, [](tls_channel) {},
      [](const std::string&) {});
    CHECK(code_of(res) == ec::io_error);
  }
}

TEST_SUITE("tls/dial") {
  TEST_CASE_FIXTURE(fixture, "a server without TLS is known as one") {
    auto plain = must(listen_tcp("127.0.0.1", 0));
    auto answers = std::thread{[&] {
      auto waiting = pollfd{plain.get(), POLLIN, 0};
      poll(&waiting, 1, 20'000);
      auto peer = tcp_socket{accept(plain.get(), nullptr, nullptr)};
      // What CAF says first.
      auto hello = std::string(60, '\0');
      send(peer.get(), hello.data(), hello.size(), MSG_NOSIGNAL);
      is_closed(peer);
    }};
    auto res
      = dial_tls(*client, "127.0.0.1", local_port(plain.get()), patience);
    answers.join();
    CHECK(code_of(res) == ec::unreachable);
    CHECK(contains(text_of(res), "does not speak TLS"));
    CHECK(contains(text_of(res), "--tls-dir"));
  }

  TEST_CASE_FIXTURE(fixture, "a server that says nothing is given up") {
    auto silent = must(listen_tcp("127.0.0.1", 0));
    auto res = dial_tls(*client, "127.0.0.1", local_port(silent.get()), 50ms);
    CHECK(code_of(res) == ec::timeout);
    CHECK(contains(text_of(res), "did not finish the handshake of TLS"));
  }

  TEST_CASE_FIXTURE(fixture, "a server that hangs up is known as one") {
    // With what was sent to it unread, the system says so in another way.
    for (auto reads : {false, true}) {
      auto rude = must(listen_tcp("127.0.0.1", 0));
      auto answers = std::thread{[&] {
        auto waiting = pollfd{rude.get(), POLLIN, 0};
        poll(&waiting, 1, 20'000);
        auto peer = tcp_socket{accept(rude.get(), nullptr, nullptr)};
        waiting = {peer.get(), POLLIN, 0};
        poll(&waiting, 1, 20'000);
        char buffer[4096];
        if (reads)
          CHECK(recv(peer.get(), buffer, sizeof(buffer), 0) > 0);
      }};
      auto res
        = dial_tls(*client, "127.0.0.1", local_port(rude.get()), patience);
      answers.join();
      CHECK(code_of(res) == ec::unreachable);
      CHECK(contains(text_of(res), "closed the connection"));
    }
  }

  TEST_CASE_FIXTURE(fixture, "nobody there is known at once") {
    auto port = uint16_t{0};
    {
      auto free = must(listen_tcp("127.0.0.1", 0));
      port = local_port(free.get());
    }
    auto res = dial_tls(*client, "127.0.0.1", port, patience);
    CHECK(code_of(res) == ec::unreachable);
    CHECK(contains(text_of(res), "nobody listens at 127.0.0.1:"));
  }

  TEST_CASE("loopback addresses are told from others") {
    for (auto host : {"127.0.0.1", "127.9.9.9", "::1", "localhost"})
      CHECK(must(is_loopback(host)));
    for (auto host : {"0.0.0.0", "::", "10.0.0.1", "8.8.8.8"})
      CHECK(!must(is_loopback(host)));
    CHECK(code_of(is_loopback("no such host")) == ec::unreachable);
  }
}
