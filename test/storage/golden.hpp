#pragma once

#include "test/storage/support.hpp"

// The files of each schema, as SQL. What a released weir wrote, every later one
// reads: when a dump changes, the schema's version goes up and a migration
// comes with it, and the text here stays.

namespace weir::test {

inline std::vector<std::string> column_of(sqlite3* db, const std::string& sql) {
  auto res = std::vector<std::string>{};
  auto keep = [](void* out, int, char** values, char**) {
    static_cast<std::vector<std::string>*>(out)->emplace_back(
      values[0] != nullptr ? values[0] : "");
    return 0;
  };
  REQUIRE(sqlite3_exec(db, sql.c_str(), keep, &res, nullptr) == SQLITE_OK);
  return res;
}

/// A script that makes the file.
inline std::string dump(const std::string& path) {
  sqlite3* db = nullptr;
  REQUIRE(sqlite3_open(path.c_str(), &db) == SQLITE_OK);
  auto res = std::string{"\n"};
  for (std::string name :
       {"page_size", "encoding", "application_id", "user_version"})
    res += "PRAGMA " + name + " = '" + column_of(db, "PRAGMA " + name)[0]
           + "';\n";
  for (auto& sql : column_of(db, "SELECT sql FROM sqlite_schema"
                                 " WHERE sql IS NOT NULL ORDER BY rowid"))
    res += sql + ";\n";
  for (auto& table : column_of(db, "SELECT name FROM sqlite_schema"
                                   " WHERE type = 'table' ORDER BY rowid")) {
    auto columns = std::string{};
    for (auto& name :
         column_of(db, "SELECT name FROM pragma_table_info('" + table + "')"))
      columns
        += (columns.empty() ? "" : " || ', ' || ") + ("quote(" + name) + ")";
    for (auto& values : column_of(db, "SELECT " + columns + " FROM " + table))
      res += "INSERT INTO " + table + " VALUES (" + values + ");\n";
  }
  sqlite3_close(db);
  return res;
}

inline shard_config sample_config() {
  return {3, 5, "n1", {{"n1", "d1", 2}, {"n2", "d2", 300}}, {{"n3", "d3"}}, 2};
}

} // namespace weir::test
