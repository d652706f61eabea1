#pragma once

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

namespace weir::test {

/// A weir.toml in a directory of its own, gone at the end.
class config_file {
public:
  explicit config_file(std::string_view content) {
    char pattern[] = "/tmp/weir-config-XXXXXX";
    REQUIRE(mkdtemp(pattern) != nullptr);
    directory_ = pattern;
    auto out = std::fopen(path().c_str(), "wb");
    REQUIRE(out != nullptr);
    auto written = std::fwrite(content.data(), 1, content.size(), out);
    std::fclose(out);
    REQUIRE(written == content.size());
  }

  config_file(const config_file&) = delete;
  config_file& operator=(const config_file&) = delete;

  ~config_file() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  std::string path() const {
    return directory_ + "/weir.toml";
  }

  /// Takes the directory off every place in `text`.
  std::string short_text(std::string text) const {
    auto prefix = directory_ + "/";
    for (auto i = text.find(prefix); i != std::string::npos;
         i = text.find(prefix))
      text.erase(i, prefix.size());
    return text;
  }

private:
  std::string directory_;
};

} // namespace weir::test
