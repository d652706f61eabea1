#include "apps/client.hpp"
#include "messages/window_wire.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

// Asks a coordinator for a final window, and next to it says hello, the
// smallest thing that it answers: an empty round trip. Prints a line of JSON a
// pair of runs.
//
//   bench-window_query HOST:PORT TIME_MS

namespace {

using namespace weir;

constexpr int pairs = 20;
/// The 99th of a hundred is seen ten times.
constexpr size_t questions = 1'000;

template <class Ask>
std::vector<double> measure(Ask ask) {
  using clock = std::chrono::steady_clock;
  auto res = std::vector<double>{};
  for (auto i = size_t{0}; i < questions; ++i) {
    auto start = clock::now();
    if (auto done = ask(); !done) {
      fmt::print(stderr, "{}\n", done.error().text);
      std::_Exit(1);
    }
    res.push_back(
      std::chrono::duration<double, std::micro>(clock::now() - start).count());
  }
  std::sort(res.begin(), res.end());
  return res;
}

std::string percentiles(const std::vector<double>& x) {
  return fmt::format("{{\"p50\":{:.1f},\"p99\":{:.1f}}}", x[x.size() / 2],
                     x[x.size() * 99 / 100]);
}

result<void> ask_empty(client& cluster) {
  auto res = cluster.ask<welcome>(
    hello{wire_version, cluster.cluster(), "client", {}});
  if (!res)
    return tl::unexpected(res.error());
  return {};
}

result<void> ask_window(client& cluster, time_ms time) {
  auto res
    = cluster.ask<window_answers>(window_query{time, time + 1, {}, false});
  if (!res)
    return tl::unexpected(res.error());
  if (res->windows.size() != 1
      || res->windows.front().state != window_state::final)
    return fail(ec::not_found, "the window is not final");
  return {};
}

int run(const std::string& address, time_ms time) {
  auto settings = process_settings{};
  auto colon = address.find(':');
  settings.join = {address.substr(0, colon),
                   static_cast<uint16_t>(std::stoi(address.substr(colon + 1)))};
  auto cluster = client::connect(settings);
  if (!cluster) {
    fmt::print(stderr, "{}\n", cluster.error().text);
    return 1;
  }
  for (auto i = 0; i < pairs; ++i) {
    auto empty = measure([&] {
      return ask_empty(**cluster);
    });
    auto window = measure([&] {
      return ask_window(**cluster, time);
    });
    fmt::print("{{\"empty\":{},\"window\":{}}}\n", percentiles(empty),
               percentiles(window));
  }
  std::fflush(stdout);
  return 0;
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: bench-window_query HOST:PORT TIME_MS\n");
    return 2;
  }
  // Not by `return`: see actors/process.hpp.
  std::_Exit(run(argv[1], std::stoll(argv[2])));
}
