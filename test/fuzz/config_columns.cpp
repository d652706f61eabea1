#include "storage/config_columns.hpp"

#include "test/fuzz/fuzz.hpp"

#include <filesystem>
#include <optional>

#include <unistd.h>

// Input: the columns of members and of eligible disks (strings).

using namespace weir;
using namespace weir::fuzz;

namespace {

/// A row with what it is asked for.
class row_maker {
public:
  row_maker() {
    auto directory
      = (std::filesystem::temp_directory_path() / "weir-fuzz-XXXXXX").string();
    require(::mkdtemp(directory.data()) != nullptr, "there is a folder");
    auto db = connection::open({0x66757a7a, 1, "CREATE TABLE t (x);", nullptr},
                               directory + "/db", sync_mode::normal);
    require(db.has_value(), "there is a database");
    require(db->prepare({{select_, "SELECT 7, 8, 'n', ?1, ?2, 2", "select"}})
              .has_value(),
            "there is a statement");
    // Open files stay.
    std::filesystem::remove_all(directory);
  }

  /// The configuration of a row with these columns, if it is one.
  std::optional<shard_config> decoded(std::string_view members,
                                      std::string_view eligible) {
    auto res = std::optional<shard_config>{};
    auto done = select_.each(
      [&](const row& x) -> result<bool> {
        auto config = shard_config{};
        if (config_columns::decode(x, config))
          res = std::move(config);
        return true;
      },
      blob{members}, blob{eligible});
    require(done.has_value(), "a row can be made");
    return res;
  }

private:
  statement select_;
};

} // namespace

WEIR_FUZZ_TARGET(config_columns) {
  static auto rows = row_maker{};
  auto in = byte_reader{bytes};
  auto members = in.string();
  auto x = rows.decoded(members, in.bytes(in.remaining()));
  if (!x)
    return;
  auto y = rows.decoded(config_columns::encode(x->members),
                        config_columns::encode(x->eligible));
  require(y && *y == *x, "a configuration keeps what it says");
}
