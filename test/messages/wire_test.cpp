#include "test/golden/wire.hpp"
#include "test/messages/samples.hpp"
#include "test/support/actor_fixture.hpp"
#include "test/support/hex.hpp"
#include "test/support/results.hpp"

#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>
#include <caf/exit_reason.hpp>
#include <caf/message.hpp>

#include <cmath>
#include <limits>
#include <map>

using namespace weir;
using namespace weir::test;

namespace {

struct fixture : actor_fixture {
  template <class T>
  std::string encode(const T& x) {
    auto buffer = std::vector<char>{};
    auto sink = caf::binary_serializer{system, buffer};
    auto error = sink(x);
    REQUIRE(!error);
    return {buffer.begin(), buffer.end()};
  }

  template <class T>
  bool decode(const std::string& bytes, T& x) {
    auto source = caf::binary_deserializer{system, bytes.data(), bytes.size()};
    return !source(x);
  }
};

template <class T>
size_t inspected_fields(T& x) {
  auto count = field_counter{};
  return inspect(count, x);
}

} // namespace

TEST_SUITE("messages/wire") {
  TEST_CASE_FIXTURE(fixture, "every message comes out as it went in") {
    auto messages = 0;
    for_each_message([&](auto x, const std::string& name) {
      INFO(name);
      auto bytes = encode(x);
      auto y = decltype(x){};
      REQUIRE(decode(bytes, y));
      CHECK(to_hex(encode(y)) == to_hex(bytes));
      ++messages;
    });
    CHECK(messages >= 25);
  }

  TEST_CASE_FIXTURE(fixture, "a double travels whatever it is") {
    using limits = std::numeric_limits<double>;
    for (auto x : {0.0, -0.0, 0.1, -61.5, limits::max(), limits::lowest(),
                   limits::min(), limits::min() / 2, limits::denorm_min(),
                   -limits::denorm_min(), limits::infinity()}) {
      CAPTURE(x);
      auto answer = average_answer{};
      answer.average = x;
      auto node = node_status{};
      node.rate = x;
      auto cluster = cluster_status{};
      cluster.rate = x;
      auto answer_read = average_answer{};
      auto node_read = node_status{};
      auto cluster_read = cluster_status{};
      REQUIRE(decode(encode(answer), answer_read));
      REQUIRE(decode(encode(node), node_read));
      REQUIRE(decode(encode(cluster), cluster_read));
      CHECK(answer_read.average == x);
      CHECK(std::signbit(answer_read.average) == std::signbit(x));
      CHECK(node_read.rate == x);
      CHECK(cluster_read.rate == x);
    }
  }

  TEST_CASE_FIXTURE(fixture, "every message is known by its name on the other "
                             "side") {
    for_each_message([&](auto x, const std::string& name) {
      INFO(name);
      auto sent = caf::make_message(x);
      auto received = caf::message{};
      REQUIRE(decode(encode(sent), received));
      REQUIRE(received.match_elements<decltype(x)>());
      CHECK(encode(received.get_as<decltype(x)>(0)) == encode(x));
    });
  }

  TEST_CASE("every field of a message travels") {
    for_each_message([](auto x, const std::string& name) {
      INFO(name);
      CHECK(inspected_fields(x) == field_count<decltype(x)>());
    });
    auto check = [](auto x) {
      CHECK(inspected_fields(x) == field_count<decltype(x)>());
    };
    check(producer_id{});
    check(verdict_counts{});
    check(rollup_counts{});
    check(seal_range{});
    check(metric_total{});
    check(window_answer{});
    check(window_holder{});
    check(address{});
    check(shard_assignment{});
    check(shard_report{});
    check(replica_report{});
    check(log_position{});
    check(copy_progress{});
    check(copy_status{});
    check(move_status{});
    check(member{});
    check(catalog_mark{});
    check(shard_record{});
    check(node_disk{});
    check(shard_config{});
    check(replica_goals{});
    check(announcement{});
    check(decision{});
    check(peer_address{});
    check(planned_move{});
    check(shard_check{});
    check(block_message{});
    check(node_route{});
    check(shard_route{});
    check(average_request{});
    check(average_answer{});
    check(node_status{});
    check(shard_status{});
    check(ledger_counts{});
    check(producer_status{});
  }

  TEST_CASE_FIXTURE(fixture, "the bytes of every message are what they have "
                             "always been") {
    auto known = std::map<std::string, std::string>{};
    for (auto& [name, bytes] : golden::wire_6)
      known.emplace(name, bytes);
    CHECK(std::string{golden::wire_6_version} == wire_version);
    for_each_message([&](auto x, const std::string& name) {
      INFO(name);
      CHECK(known[name] == to_hex(encode(x)));
      known.erase(name);
    });
    for (auto& [name, bytes] : known)
      FAIL_CHECK(name << " is gone");
  }

  TEST_CASE_FIXTURE(fixture, "a message that is cut short is refused") {
    for_each_message([&](auto x, const std::string& name) {
      INFO(name);
      auto bytes = encode(x);
      for (auto i = size_t{0}; i < bytes.size(); ++i) {
        auto y = decltype(x){};
        if (decode(bytes.substr(0, i), y))
          FAIL("cut at " << i);
      }
    });
  }

} // TEST_SUITE

TEST_SUITE("messages/types") {
  TEST_CASE("a failure survives as an error, with code and sentence") {
    for (auto code :
         {ec::invalid_argument, ec::disk_full, ec::stale_epoch, ec::conflict}) {
      auto x = to_failure(to_error({code, "it was so"}), "whoever");
      CHECK(x.code == code);
      CHECK(x.text == "it was so");
    }
  }

  TEST_CASE_FIXTURE(fixture, "an error of ours travels") {
    auto sent = to_error({ec::sequence_gap, "no. 7 is missing"});
    auto received = caf::error{};
    REQUIRE(decode(encode(sent), received));
    CHECK(to_failure(received, "whoever").code == ec::sequence_gap);
    CHECK(to_failure(received, "whoever").text == "no. 7 is missing");
    CHECK(contains(system.render(received), "no. 7 is missing"));
  }

  TEST_CASE("errors of the connection name whom we asked") {
    auto late
      = to_failure(caf::make_error(caf::sec::request_timeout), "node a");
    CHECK(late.code == ec::timeout);
    CHECK(late.text == "node a did not answer in time");
    for (auto& error :
         {caf::make_error(caf::sec::request_receiver_down),
          caf::make_error(caf::exit_reason::remote_link_unreachable)}) {
      auto gone = to_failure(error, "node a");
      CHECK(gone.code == ec::unreachable);
      CHECK(gone.text == "node a is not reachable any more");
    }
  }

} // TEST_SUITE
