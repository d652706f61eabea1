#pragma once

#include "cluster/log.hpp"
#include "storage/file.hpp"
#include "storage/journal.hpp"
#include "test/support/results.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <sys/mount.h>
#include <unistd.h>
#include <vector>

namespace weir::test {

namespace fs = std::filesystem;

/// Where tests keep files: TMPDIR, or in memory, where a sync costs nothing.
inline fs::path scratch() {
  auto shared_memory = "/dev/shm";
  if (std::getenv("TMPDIR") == nullptr && ::access(shared_memory, W_OK) == 0)
    return shared_memory;
  return fs::temp_directory_path();
}

/// A directory that goes with the object.
class temporary_directory {
public:
  temporary_directory() {
    auto pattern = (scratch() / "weir-test-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }

  temporary_directory(const temporary_directory&) = delete;

  ~temporary_directory() {
    auto ignored = std::error_code{};
    fs::remove_all(path_, ignored);
  }

  const std::string& path() const {
    return path_;
  }

  std::string file(const std::string& name) const {
    return path_ + "/" + name;
  }

private:
  std::string path_;
};

/// A file system of `size` at `path`, or a printed reason why there is none.
class small_disk {
public:
  small_disk(const std::string& path, const std::string& size) : path_(path) {
    fs::create_directory(path);
    auto options = "size=" + size;
    mounted_ = ::mount("tmpfs", path.c_str(), "tmpfs", 0, options.c_str()) == 0;
    if (!mounted_)
      MESSAGE("skipped: mounting a tmpfs is not allowed here");
  }

  small_disk(const small_disk&) = delete;

  ~small_disk() {
    if (mounted_)
      ::umount2(path_.c_str(), MNT_DETACH);
  }

  explicit operator bool() const {
    return mounted_;
  }

  void make_read_only() {
    REQUIRE(::mount("", path_.c_str(), "", MS_REMOUNT | MS_RDONLY, "") == 0);
  }

private:
  std::string path_;
  bool mounted_ = false;
};

inline std::string bytes_of(const std::string& path) {
  auto in = std::ifstream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

inline void put_bytes(const std::string& path, const std::string& bytes) {
  auto out = std::ofstream{path, std::ios::binary | std::ios::trunc};
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  REQUIRE(out.good());
}

/// Runs SQL on a file through a connection of its own.
inline void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  char* text = nullptr;
  sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &text);
  auto error = std::string{text != nullptr ? text : ""};
  sqlite3_free(text);
  sqlite3_close(db);
  REQUIRE(error == "");
}

/// All fields but `keep`.
inline bool same(const log_entry& x, const log_entry& y) {
  return x.shard == y.shard && x.index == y.index && x.epoch == y.epoch
         && x.kind == y.kind && x.producer == y.producer
         && x.session == y.session && x.after == y.after
         && x.position == y.position && x.envelope == y.envelope
         && x.block == y.block && x.crc == y.crc && x.chain == y.chain;
}

/// Owns its block, so that it can be kept.
inline log_entry copy_of(const log_entry& x) {
  auto res = x;
  auto block = std::make_shared<std::string>(x.block);
  res.block = *block;
  res.keep = block;
  return res;
}

/// Gives `x` its place in the log of `shard` after the entry before.
inline void seal(log_entry& x, uint32_t shard, uint64_t index,
                 uint64_t previous) {
  x.shard = shard;
  x.index = index;
  x.crc = entry_crc(x);
  x.chain = chain_after(previous, x.crc);
}

/// Entries `first`, ... of a shard's log: blocks of a producer, of some hundred
/// bytes, a different log for every `seed`.
inline std::vector<log_entry> make_log(uint32_t shard, size_t entries,
                                       uint64_t seed = 1, uint64_t first = 1,
                                       uint64_t chain = 0, size_t bytes = 400) {
  auto random = std::mt19937_64{seed + shard};
  auto res = std::vector<log_entry>{};
  for (auto i = first; i < first + entries; ++i) {
    auto x = log_entry{};
    x.epoch = 1 + i / 10;
    x.kind = i % 10 == 1 ? entry_kind::noop : entry_kind::block;
    x.producer = {random(), random()};
    x.session = random();
    x.after = i * 100;
    x.position = i * 100 + 100;
    x.envelope.assign(random() % 40, static_cast<char>('a' + i % 26));
    auto block = std::make_shared<std::string>(random() % bytes, '\0');
    for (auto& c : *block)
      c = static_cast<char>(random());
    x.block = *block;
    x.keep = block;
    seal(x, shard, i, chain);
    chain = x.chain;
    res.push_back(std::move(x));
  }
  return res;
}

inline void append_all(journal& self, const std::vector<log_entry>& xs) {
  for (auto& x : xs)
    must(self.append(x));
  must(self.commit());
}

struct read_back {
  std::vector<log_entry> entries;
  /// What was known to be committed when they were written.
  std::vector<uint64_t> committed;
  result<void> end;
};

/// Everything of `shard` from `from` on, up to the first failure.
inline read_back read_log(journal& self, uint32_t shard, uint64_t from = 1,
                          std::optional<uint64_t> previous = 0) {
  auto res = read_back{};
  res.end = self.read(shard, from, previous,
                      [&](const log_entry& x, uint64_t committed) {
                        res.entries.push_back(copy_of(x));
                        res.committed.push_back(committed);
                        return true;
                      });
  return res;
}

inline bool same(const std::vector<log_entry>& xs,
                 const std::vector<log_entry>& ys) {
  return xs.size() == ys.size()
         && std::equal(xs.begin(), xs.end(), ys.begin(),
                       [](const log_entry& x, const log_entry& y) {
                         return same(x, y);
                       });
}

/// `xs` are the first entries of `ys`.
inline bool is_prefix(const std::vector<log_entry>& xs,
                      const std::vector<log_entry>& ys) {
  return xs.size() <= ys.size()
         && std::equal(xs.begin(), xs.end(), ys.begin(),
                       [](const log_entry& x, const log_entry& y) {
                         return same(x, y);
                       });
}

} // namespace weir::test
