#pragma once

#include "cluster/log.hpp"
#include "cluster/sharding.hpp"
#include "test/fuzz/fuzz.hpp"
#include "windows/reading.hpp"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

namespace weir::fuzz {

constexpr auto start = time_ms{1'700'000'000'000};
constexpr auto ann = producer_id{1, 2};

/// The folders of all targets.
class corpus {
public:
  explicit corpus(std::filesystem::path root) : root_(std::move(root)) {
    // nop
  }

  void add(const std::string& target, std::string_view bytes) {
    std::filesystem::create_directories(root_ / target);
    auto name = "seed-" + std::to_string(++seeds_);
    auto out = std::ofstream{root_ / target / name, std::ios::binary};
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    require(out.good(), "a seed can be written");
  }

private:
  std::filesystem::path root_;
  int seeds_ = 0;
};

template <class Write>
std::string written(Write write) {
  auto res = std::string{};
  auto out = byte_writer{res};
  write(out);
  return res;
}

/// What a coordinator and a backup write.
void add_catalog(corpus& to);

void add_rollups(corpus& to);

void add_manifest(corpus& to);

/// What a node writes.
void add_journal(corpus& to);

} // namespace weir::fuzz
