#include "test/fuzz/fuzz.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>

// Runs each file of corpus/ and regressions/ once: what the fuzzers have found
// is tested wherever there is a compiler.

namespace fs = std::filesystem;

namespace {

std::string content_of(const fs::path& path) {
  auto in = std::ifstream{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// Runs a file, or all files of a folder, and says how many.
size_t run(const weir::fuzz::target& target, const fs::path& path) {
  if (fs::is_regular_file(path)) {
    // Said before, because a crash says nothing.
    std::printf("%s %s\n", target.name, path.c_str());
    std::fflush(stdout);
    target.run(content_of(path));
    return 1;
  }
  auto res = size_t{0};
  if (fs::is_directory(path))
    for (auto& x : fs::directory_iterator{path})
      res += run(target, x.path());
  return res;
}

} // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr,
                 "usage: %s FOLDER...\n\nEach FOLDER has a folder for "
                 "each target, with its inputs.\n",
                 argv[0]);
    return 2;
  }
  for (auto& target : weir::fuzz::targets()) {
    auto files = size_t{0};
    for (auto i = 1; i < argc; ++i)
      files += run(target, fs::path{argv[i]} / target.name);
    if (files == 0) {
      std::fprintf(stderr, "there is no input for %s\n", target.name);
      return 1;
    }
  }
}
