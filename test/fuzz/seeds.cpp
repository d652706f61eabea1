#include "test/fuzz/seeds.hpp"
#include "cluster/block.hpp"
#include "cluster/peer_codec.hpp"
#include "cluster/shard.hpp"
#include "cluster/sharding.hpp"
#include "config/option.hpp"
#include "storage/config_columns.hpp"
#include "storage/data_dir.hpp"
#include "test/golden/wire.hpp"
#include "windows/window_partial.hpp"

// Writes what the fuzzers begin with: the bytes of real encoders, and text as
// people write it.

using namespace weir;
using namespace weir::fuzz;

namespace {

std::string unsealed(const std::string& block) {
  return block.substr(0, block.size() - sizeof(uint64_t));
}

std::string block_of(uint64_t after, int records, int doubles) {
  auto builder = block_builder{};
  for (auto i = 0; i < records; ++i) {
    auto entity = std::string(1, static_cast<char>('a' + i % 3));
    auto real = number::of(0.5 * i);
    field fields[] = {{"value", i < doubles ? real : number::of(int64_t{i})},
                      {"load", number::of(int64_t{-i})}};
    builder.add(entity, entity_hash(entity), start + i * 10, fields,
                static_cast<size_t>(1 + i % 2));
  }
  return builder.finish(
    {0, ann, 1, after, after + static_cast<uint64_t>(records)});
}

/// A shard that has seen every kind of entry, and its log.
struct lived_shard {
  shard self = shard{0, 1};
  std::vector<std::shared_ptr<const log_entry>> log;

  void take(const offer& x) {
    require(x.code == ec::none, "an offer is taken");
    if (x.entry == nullptr)
      return;
    log.push_back(x.entry);
    self.commit(x.entry->index);
  }

  lived_shard() {
    take(self.lead(1));
    auto settings = shard_settings{};
    settings.version = 1;
    settings.sliding.cells_max = 4;
    take(self.admit_settings(settings));
    take(self.admit_plan(window_plan::periodic(1000)));
    take(self.admit_session(ann, 1, start));
    auto after = uint64_t{0};
    for (auto n : {3, 1, 12}) {
      auto bytes
        = std::make_shared<const std::string>(block_of(after, n, n / 2));
      take(self.admit_block(*bytes, bytes, start + 500));
      after += static_cast<uint64_t>(n);
    }
    auto plan = self.rollups().plan();
    require(plan.prepare(3000).has_value(), "a change can be prepared");
    take(self.admit_plan(plan));
    take(self.admit_seal({before_time, start - 1000, false}));
    take(self.admit_clock(start + 60'000));
    take(self.admit_session({5, 1}, 1, start));
    take(self.admit_expiry(start + 30 * 86'400'000ll));
    take(self.admit_seal({before_time, start + 5000, false}));
    take(self.admit_release(start + 5000));
  }
};

std::string log_bytes(
  const std::vector<std::shared_ptr<const log_entry>>& log) {
  return written([&](byte_writer& out) {
    for (auto& x : log) {
      out.fixed(static_cast<uint8_t>(x->kind));
      out.varint(x->session);
      out.varint(x->position);
      out.string(x->envelope);
      out.string(x->block.empty() ? std::string{}
                                  : unsealed(std::string{x->block}));
    }
  });
}

void add_shard(corpus& to) {
  auto x = lived_shard{};
  to.add("log", log_bytes(x.log));
  for (auto& entry : x.log) {
    to.add("log", log_bytes({entry}));
    if (entry->kind == entry_kind::block)
      to.add("verdict",
             written([&](byte_writer& out) {
               auto block = decoded_block{};
               require(decode_block(entry->block, 1, block).has_value(),
                       "a block decodes");
               out.varint(block.batch.readings.size());
             }) + entry->envelope);
  }
  to.add("log", std::string{"\x87"} + std::string(60, '\x05'));
  x.self.begin_checkpoint(true);
  auto chunks = std::string{};
  for (auto chunk = std::string{}; x.self.table().next_chunk(2, chunk);
       chunk.clear()) {
    byte_writer{chunks}.varint(x.self.applied().index);
    byte_writer{chunks}.string(chunk);
    to.add("sliding_chunk", written([&](byte_writer& out) {
             out.fixed(uint8_t{4});
             out.zigzag(start);
             out.zigzag(start + 7);
             out.zigzag(42);
             out.string(chunk);
           }));
  }
  to.add("checkpoint", written([&](byte_writer& out) {
                         out.varint(x.self.applied().index << 1);
                         out.string(x.self.checkpoint_meta().bytes);
                       }) + chunks);
  to.add("rollup_table",
         bytes_of(x.self.rollups()) + written([&](byte_writer& out) {
           for (auto what : {5, 5, 1, 3, 2, 4}) {
             out.fixed(static_cast<uint8_t>(what));
             out.zigzag(start + what * 1000);
             out.zigzag(start + what * 3000);
           }
         }));
  to.add("window_list", written([&](byte_writer& out) {
           encode_windows(x.self.rollups().windows(window_plan::always,
                                                   window_plan::forever, true,
                                                   100),
                          out);
         }));
  auto message = replicate{0, 1, {"n1", "d1", 2}, {}, {}, 3};
  message.entries = {x.log.begin(), x.log.begin() + 6};
  auto from = message.from;
  auto meta = x.self.checkpoint_meta();
  auto at = x.self.applied();
  for (auto& y : std::vector<peer_message>{
         message, replicated{0, 1, from, at, 3, true},
         log_claim{0, 1, from, at, {at, at}}, not_followed{0, 1, from, 2, true},
         copy_begin{0, 1, from, 9, 3, at, meta.bytes, 2},
         copy_chunk{0, 1, from, 9, 0, "chunk", 3},
         copy_taken{0, 1, from, 9, 1}})
    to.add("peer_codec", encode_peer_message(y));
}

void add_windows(corpus& to) {
  for (auto doubles : {0, 1, 5})
    to.add("block", unsealed(block_of(7, 5, doubles)));
  auto plan = window_plan{};
  require(plan.open({start, start + 5000}).has_value(), "a window opens");
  require(plan.open({start + 9000, start + 9500}).has_value(),
          "one more opens");
  auto changes = written([&](byte_writer& out) {
    for (auto what : {0, 1, 2, 3, 5, 4}) {
      out.fixed(static_cast<uint8_t>(what));
      out.zigzag(what == 2 ? 6000 : start + what);
      out.zigzag(start + 7000);
    }
  });
  to.add("window_plan", bytes_of(plan) + changes);
  to.add("window_plan", bytes_of(window_plan::periodic(60'000)) + changes);
  auto sum = exact_sum{};
  auto total = partial{};
  auto sums = std::string{};
  for (auto x : {0.1, -1e300, 5e-324, 3.0}) {
    sum.add(x);
    sum.add(int64_t{7});
    total.lift(number::of(x));
    sums = bytes_of(sum) + bytes_of(exact_sum{sum});
    to.add("exact_sum", sums + bytes_of(total) + bytes_of(total));
  }
  total = {};
  total.lift(number::of(int64_t{-3}));
  to.add("exact_sum", sums + bytes_of(total));
}

void add_input(corpus& to) {
  auto lines = std::string{
    "{\"timestamp\": 1700000000123, \"entity\": \"s1\", \"value\": 21.5}\n"
    "{\"sensor_id\":\"s\\u00e9\",\"timestamp\":1700000000,\"data\":{\"a\":1e2,"
    "\"b\":-0.5}}\n"
    "{\"Timestamp\":\"2023-03-15T13:20:00+02:00\",\"EntityID\":\"x\",\"Value\":"
    "9223372036854775807,\"more\":[1,{\"a\":null}]}\n"
    "{\"value\":1,\"value\":2}\n"};
  auto event_csv = std::string{"time_s,entity,value\n1700000000,a,1.5\n"
                               "1700000001.5,\"b,\"\"c\",+2\n,,\n"};
  auto sample_csv = std::string{"timestamp,sensor_id,load,heat,note\r\n"
                                "1700000000,a,1,,x\r\n1700000001,b,.5,7,y\r\n"};
  for (auto flags : {"\x01", "\x30", "\x7f"})
    to.add("ndjson", flags + lines);
  for (auto flags : {"\x01", "\x30", "\xc0"})
    for (auto& text : {event_csv, sample_csv})
      to.add("csv", flags + text);
  for (auto flags : {"\x01", "\x41", "\xc1"})
    for (auto& text : {lines, event_csv, sample_csv})
      to.add("reader", flags + text);
  // "hi\n", made with gzip -n.
  to.add(
    "reader",
    std::string{"\x01\x1f\x8b\x08\0\0\0\0\0\0\x03\xcb\xc8\xe4\x02\0\x7a\x7a"
                "\x6f\xed\x03\0\0\0",
                24});
}

void add_config(corpus& to) {
  auto file = std::string{"# All of it.\n"};
  for (auto scope : {option_scope::cluster, option_scope::process}) {
    file += scope == option_scope::cluster ? "[cluster]\n" : "\n[process]\n";
    for (auto& x : options())
      if (x.scope == scope)
        file += std::string{x.name} + " = \"" + default_text(x) + "\"\n";
  }
  to.add("toml", file);
  to.add("toml",
         "window = 60000\ncells-max = 7\n[cluster]\nnone = [1, {a.b = 2}]"
         "\nretention = 1979-05-27\n");
  auto i = uint8_t{0};
  for (auto& x : options())
    to.add("config_value",
           std::string(1, static_cast<char>(i++)) + default_text(x));
  for (auto text : {"1h30m", "1.5s", "2023-03-15T13:20:00.5Z", "now-5m",
                    "2023-03-15 13:20+0200", "[::1]:7411", "64KiB", "off"})
    to.add("config_value", std::string{"\0", 1} + text);
  auto text
    = to_text({"c", std::string(32, 'a'), std::string(32, 'b'), "one", 7});
  to.add("identity", text.substr(0, text.rfind("checksum")));
  to.add("config_columns",
         written([&](byte_writer& out) {
           out.string(config_columns::encode(
             std::vector<member>{{"n1", "d1", 2}, {"n2", "d2", 300}}));
         }) + config_columns::encode(std::vector<node_disk>{{"n3", "d3"}}));
}

/// One of each, which are numbered as they were recorded.
void add_messages(corpus& to) {
  auto number = char{0};
  for (auto& [name, hex] : test::golden::wire_6) {
    auto bytes = std::string(1, number++);
    for (auto x = std::string_view{hex}; !x.empty(); x.remove_prefix(2))
      bytes
        += static_cast<char>(std::stoi(std::string{x.substr(0, 2)}, {}, 16));
    to.add("message", bytes);
  }
}

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  auto to = corpus{argv[1]};
  add_shard(to);
  add_windows(to);
  add_input(to);
  add_config(to);
  add_rollups(to);
  add_catalog(to);
  add_manifest(to);
  add_journal(to);
  add_messages(to);
}
