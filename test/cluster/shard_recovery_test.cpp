#include "test/cluster/shard_fixture.hpp"

#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <algorithm>

using namespace weir;
using namespace weir::test;

namespace {

shard_settings settings(uint64_t version, time_ms retention = 70'000) {
  auto res = shard_settings{};
  res.version = version;
  res.verdicts.retention = retention;
  res.sliding.retention = retention;
  return res;
}

/// A chunk of entities that have no series, each with the hash that it says.
std::string chunk_of(
  const std::vector<std::pair<std::string, uint64_t>>& entities) {
  auto res = std::string{};
  auto out = byte_writer{res};
  out.fixed(uint8_t{1});
  out.fixed(static_cast<uint32_t>(entities.size()));
  out.zigzag(0);
  out.varint(0);
  for (auto& [id, hash] : entities) {
    out.fixed(hash);
    out.string(id);
    out.zigzag(shard_now);
    out.varint(0);
  }
  return res;
}

/// Some entries of every kind, all of them committed.
void fill(shard_fixture& x) {
  x.lead(1);
  x.store(x.self->admit_settings(settings(1)));
  x.store(x.self->admit_session(ann, 3, shard_now));
  x.send(ann, 3, 0, {event("a", shard_now, 1), event("b", shard_now + 5, 2)});
  x.send(stray, 1, 0, {event("a", shard_now - 90'000, 1)});
  x.commit();
  x.store(x.self->admit_clock(shard_now + 40'000));
  x.store(x.self->admit_settings(settings(2, 90'000)));
  x.commit();
}

} // namespace

TEST_SUITE("cluster/shard") {
  TEST_CASE_FIXTURE(shard_fixture, "a log alone brings everything back") {
    fill(*this);
    auto before = describe(*self);
    must(restart());
    CHECK(!self->leading());
    lead(2);
    commit();
    auto other = shard_fixture{};
    fill(other);
    CHECK(describe(*other.self) == before);
    other.lead(2);
    other.commit();
    CHECK(describe(*self) == describe(*other.self));
  }

  TEST_CASE_FIXTURE(shard_fixture, "a checkpoint and the rest of the log bring "
                                   "everything back") {
    fill(*this);
    checkpoint();
    send(ann, 3, 2, {event("c", shard_now + 6, 2)});
    commit();
    auto digest = self->table().digest();
    auto end = self->applied();
    must(restart());
    CHECK(self->replay_start().index == end.index - 1);
    CHECK(self->applied() == end);
    CHECK(self->table().digest() == digest);
    CHECK(self->settings().version == 2);
    CHECK(self->ledger().accepted == 3);
    CHECK(self->ledger().late == 1);
    CHECK(self->producers().find(ann)->last == 3);
    CHECK(!self->empty());
    CHECK(send(ann, 3, 0, {event("a", shard_now, 1)}).entry == nullptr);
  }

  TEST_CASE_FIXTURE(shard_fixture, "a checkpoint of an empty shard is empty") {
    serve();
    checkpoint();
    must(restart());
    CHECK(self->empty());
    CHECK(self->applied().index == 1);
  }

  TEST_CASE_FIXTURE(shard_fixture, "a log that ends before its checkpoint does "
                                   "is damaged") {
    fill(*this);
    auto first = self->applied().index;
    self->begin_checkpoint(true);
    send(ann, 3, 2, {event("c", shard_now + 6, 2)});
    commit();
    auto chunk = std::string{};
    while (self->table().next_chunk(10, chunk))
      disk.chunks.emplace_back(chunk, self->applied().index);
    disk.meta = self->checkpoint_meta();
    disk.has_meta = true;
    CHECK(disk.meta.from_index == first);
    CHECK(disk.meta.end.index == first + 1);
    disk.log.pop_back();
    auto lost = restart();
    CHECK(code_of(lost) == ec::damaged);
    CHECK(contains(text_of(lost), "ends at entry " + std::to_string(first)));
  }

  TEST_CASE_FIXTURE(shard_fixture, "a checkpoint of another version is refused "
                                   "by name, a damaged one as damaged") {
    fill(*this);
    checkpoint();
    auto bytes = disk.meta.bytes;
    disk.meta.bytes[0] = 9;
    CHECK(code_of(restart()) == ec::version_mismatch);
    for (auto i = size_t{1}; i < bytes.size(); ++i) {
      disk.meta.bytes = bytes.substr(0, i);
      CHECK(code_of(restart()) == ec::damaged);
    }
    disk.meta.bytes = bytes + '\0';
    CHECK(code_of(restart()) == ec::damaged);
    disk.meta.bytes = bytes;
    disk.chunks[0].first.pop_back();
    CHECK(code_of(restart()) == ec::damaged);
  }

  TEST_CASE("a chunk whose hashes are not those of its entities is damaged") {
    auto load = [](const std::string& chunk) {
      return shard{0, 1}.load_chunk(chunk, 1);
    };
    CHECK(load(chunk_of({{"a", entity_hash("a")}, {"b", entity_hash("b")}})));
    auto wrong = load(chunk_of({{"a", entity_hash("a")}, {"b", 7}}));
    CHECK(code_of(wrong) == ec::damaged);
    CHECK(contains(text_of(wrong), "entity 2 of 2"));
    // If they were all taken, each would be compared with all before it.
    auto many = std::vector<std::pair<std::string, uint64_t>>{};
    for (auto i = 0; i < 60'000; ++i)
      many.emplace_back(std::to_string(i), entity_hash("0"));
    auto same = load(chunk_of(many));
    CHECK(code_of(same) == ec::damaged);
    CHECK(contains(text_of(same), "entity 2 of 60000"));
  }

  TEST_CASE("a chunk with an entity of another shard is damaged") {
    auto chunk = chunk_of({{"a", entity_hash("a")}});
    auto mine = shard_of(entity_hash("a"), 2);
    CHECK(shard{mine, 2}.load_chunk(chunk, 1));
    CHECK(code_of(shard{1 - mine, 2}.load_chunk(chunk, 1)) == ec::damaged);
  }

  TEST_CASE_FIXTURE(shard_fixture, "an entry that does not decode is damaged, "
                                   "and named") {
    fill(*this);
    auto log = disk.log;
    auto i = std::find_if(log.begin(), log.end(), [](auto& x) {
      return x.kind == entry_kind::block;
    });
    auto& block = disk.log[static_cast<size_t>(i - log.begin())];
    block.block = block.block.substr(1);
    auto refused = restart();
    CHECK(code_of(refused) == ec::damaged);
    CHECK(contains(text_of(refused),
                   "entry " + std::to_string(block.index) + " of shard 0"));
    disk.log = log;
    block.envelope.pop_back();
    CHECK(code_of(restart()) == ec::damaged);
  }

  TEST_CASE("an entry whose content no primary writes is damaged, and changes "
            "nothing") {
    auto varint = [](int64_t x) {
      auto res = std::string{};
      byte_writer{res}.zigzag(x);
      return res;
    };
    auto unlimited = settings(1, INT64_MAX).encode();
    auto bad = std::vector<std::pair<int, std::string>>{
      {1, "x"},
      {3, ""},
      {3, varint(time_max + 1)},
      {3, varint(1) + "x"},
      {4, settings(1).encode() + "x"},
      {4, unlimited},
      {5, varint(-2)},
      {5, varint(INT64_MAX)},
      {6, ""},
      {6, std::string(17, 'x')},
      {7, ""},
      {7, "x"},
      {8, std::string(17, '\x02')},
      {8, std::string(16, '\0')},
      {9, std::string(7, '\0')},
      {0, ""},
      {10, ""},
    };
    for (auto& [kind, envelope] : bad) {
      CAPTURE(kind);
      CAPTURE(envelope.size());
      auto x = std::make_shared<log_entry>();
      x->index = 1;
      x->epoch = 1;
      x->kind = static_cast<entry_kind>(kind);
      x->envelope = envelope;
      x->crc = entry_crc(*x);
      x->chain = chain_after(0, x->crc);
      auto self = shard{0, 1};
      auto before = describe(self);
      CHECK(code_of(self.replay(*x)) == ec::damaged);
      CHECK(code_of(self.follow(x)) == ec::damaged);
      CHECK(describe(self) == before);
    }
  }

  TEST_CASE_FIXTURE(shard_fixture, "a checkpoint that was given up leaves "
                                   "nothing out of the next one") {
    fill(*this);
    checkpoint();
    send(ann, 3, 2, {event("c", shard_now + 6, 2)});
    commit();
    auto chunk = std::string{};
    self->begin_checkpoint(false);
    self->table().next_chunk(10, chunk);
    self->table().abort_checkpoint();
    checkpoint(false);
    disk.log.clear();
    auto digest = self->table().digest();
    must(restart());
    CHECK(self->table().digest() == digest);
  }

} // TEST_SUITE

// -- a shard that restarts, beside one that never does ------------------------

namespace {

struct step {
  int kind = 0;
  uint32_t a = 0;
  uint32_t b = 0;
};

void showValue(const step& x, std::ostream& out) {
  out << x.kind << '(' << x.a << ", " << x.b << ')';
}

rc::Gen<std::vector<step>> any_steps() {
  auto number = rc::gen::resize(100, rc::gen::inRange<uint32_t>(0, 1 << 16));
  auto one = rc::gen::map(
    rc::gen::tuple(rc::gen::resize(100, rc::gen::inRange(0, 100)), number,
                   number),
    [](auto x) {
      return step{std::get<0>(x), std::get<1>(x), std::get<2>(x)};
    });
  return rc::gen::resize(250, rc::gen::container<std::vector<step>>(one));
}

/// Two shards that are offered the same. The one under test is checkpointed in
/// pieces, dies and recovers; where that loses what was on the way, the other
/// is told that the journal refused it.
class twins {
public:
  twins() {
    lead();
  }

  void run(const step& x) {
    if (x.kind < 40)
      send(x);
    else if (x.kind < 44)
      both([&](shard& s) {
        return s.admit_session(producer(x.a), 1 + x.b % 4, now_);
      });
    else if (x.kind < 48)
      both([&](shard& s) {
        return s.admit_settings(any_settings(x));
      });
    else if (x.kind < 52)
      tick(x);
    else if (x.kind < 55)
      expire(x);
    else if (x.kind < 70)
      commit(x.a % (on_the_way_.size() + 1));
    else if (x.kind < 73)
      refuse();
    else if (x.kind < 76)
      begin_checkpoint(x.a % 3 == 0);
    else if (x.kind < 88)
      put_chunk(1 + x.a % 3);
    else if (x.kind < 90)
      abort_checkpoint();
    else if (x.kind < 93)
      subject_->table().sweep(x.a % 4);
    else
      die(x.a % (on_the_way_.size() + 1));
    compare();
  }

  void compare() const {
    RC_ASSERT(describe(*subject_) == describe(*veteran_));
    auto at = now_ - 3000;
    for (auto i = 0; i < 6; ++i, at += 600) {
      auto id = "e" + std::to_string(i);
      auto x
        = subject_->table().average(id, entity_hash(id), "m0", at, 1500, now_);
      auto y
        = veteran_->table().average(id, entity_hash(id), "m0", at, 1500, now_);
      RC_ASSERT(x.known_entity == y.known_entity);
      RC_ASSERT(x.count == y.count);
      RC_ASSERT(x.average == y.average);
      RC_ASSERT(x.exact == y.exact);
      RC_ASSERT(x.complete == y.complete);
    }
  }

  uint64_t deaths() const {
    return deaths_;
  }

  uint64_t checkpoints() const {
    return checkpoints_;
  }

private:
  static producer_id producer(uint32_t i) {
    return {7, i % 5};
  }

  template <class Offer>
  void both(Offer make) {
    auto x = make(*subject_);
    auto y = make(*veteran_);
    RC_ASSERT(x.code == y.code);
    RC_ASSERT(x.text == y.text);
    RC_ASSERT(x.last == y.last);
    RC_ASSERT((x.entry == nullptr) == (y.entry == nullptr));
    if (x.entry == nullptr)
      return;
    RC_ASSERT(x.entry->index == y.entry->index);
    RC_ASSERT(x.entry->crc == y.entry->crc);
    RC_ASSERT(x.entry->chain == y.entry->chain);
    on_the_way_.push_back(x.entry);
  }

  void lead() {
    both([&](shard& s) {
      return s.lead(epoch_);
    });
  }

  static shard_settings any_settings(const step& x) {
    auto res = shard_settings{};
    res.version = 1 + x.b % 12;
    res.verdicts.retention = 1000 + 500 * (x.a % 5);
    res.verdicts.wall_clock = x.a % 7 == 0;
    res.sliding.retention = res.verdicts.retention;
    res.sliding.cells_max = 2 + x.a % 9;
    res.sliding.metrics_per_entity_max = 1 + x.a % 3;
    res.producer_expiry = 1500;
    res.producers_max = 3 + x.a % 3;
    return res;
  }

  void send(const step& x) {
    now_ += x.a % 200;
    auto id = producer(x.b / 7);
    auto& position = positions_[id];
    auto records = std::vector<plain_record>{};
    auto random = x.a;
    for (auto n = 1 + x.b % 6; n > 0; --n) {
      random = random * 1'664'525 + 1'013'904'223;
      auto value = random % 3 == 0 ? number::of(int64_t{random})
                                   : number::of(0.1 * random);
      auto fields = std::vector<std::pair<std::string, number>>{
        {"m" + std::to_string(random / 8 % 3), value}};
      if (random % 5 == 0)
        fields.emplace_back("m9", value);
      records.push_back({"e" + std::to_string(random / 64 % 6),
                         now_ - 2500 + random / 1024 % 3000, fields});
    }
    // Mostly what follows; at times what came before, or a gap.
    auto known = veteran_->producers().find(id);
    auto after = position;
    if (x.b % 11 == 0)
      after = known != nullptr ? known->last : 0;
    else if (x.b % 13 == 0)
      after += 3;
    auto bytes = std::make_shared<const std::string>(
      block_of({0, id, 1 + x.b % 4, after, after + records.size()}, records));
    auto before = on_the_way_.size();
    both([&](shard& s) {
      return s.admit_block(*bytes, bytes, now_);
    });
    if (on_the_way_.size() > before)
      position = after + records.size();
  }

  void tick(const step& x) {
    // Whether there is anything to forget depends on how far memory was swept,
    // which a restart changes: a primary's own business.
    if (subject_->table().entities() > 0 && veteran_->table().entities() > 0)
      both([&](shard& s) {
        return s.admit_clock(now_ + x.a % 1500);
      });
  }

  void expire(const step& x) {
    now_ += x.a % 600;
    both([&](shard& s) {
      return s.admit_expiry(now_);
    });
    for (auto& [id, position] : positions_)
      if (veteran_->producers().find(id) == nullptr)
        position = 0;
  }

  void commit(size_t n) {
    if (n == 0)
      return;
    log_.insert(log_.end(), on_the_way_.begin(),
                on_the_way_.begin() + static_cast<ptrdiff_t>(n));
    on_the_way_.erase(on_the_way_.begin(),
                      on_the_way_.begin() + static_cast<ptrdiff_t>(n));
    auto index = log_.back()->index;
    RC_ASSERT(subject_->commit(index) == veteran_->commit(index));
  }

  void forget_what_was_on_the_way(shard& x) {
    on_the_way_.clear();
    forget_tail(x);
    for (auto& [id, position] : positions_) {
      auto known = veteran_->producers().find(id);
      position = known != nullptr ? known->last : 0;
    }
  }

  void refuse() {
    forget_what_was_on_the_way(*veteran_);
    forget_tail(*subject_);
    if (!veteran_->leading())
      lead();
  }

  void begin_checkpoint(bool full) {
    attempt_.clear();
    attempt_is_full_ = subject_->begin_checkpoint(full || !has_meta_);
    attempting_ = true;
  }

  void put_chunk(size_t entities) {
    if (!attempting_)
      return;
    auto bytes = std::string{};
    if (subject_->table().next_chunk(entities, bytes)) {
      attempt_.emplace_back(bytes, subject_->applied().index);
      return;
    }
    if (attempt_is_full_)
      chunks_.clear();
    chunks_.insert(chunks_.end(), attempt_.begin(), attempt_.end());
    meta_ = subject_->checkpoint_meta();
    has_meta_ = true;
    attempting_ = false;
    ++checkpoints_;
    // What the checkpoint covers goes.
    log_.erase(log_.begin(),
               std::find_if(log_.begin(), log_.end(), [&](auto& x) {
                 return x->index > meta_.from_index;
               }));
  }

  void abort_checkpoint() {
    if (!attempting_)
      return;
    subject_->table().abort_checkpoint();
    attempting_ = false;
  }

  /// @param durable entries on the way that reached the disk before
  void die(size_t durable) {
    commit(durable);
    forget_what_was_on_the_way(*veteran_);
    attempting_ = false;
    ++deaths_;
    subject_ = std::make_unique<shard>(0, 1);
    if (has_meta_)
      RC_ASSERT(subject_->load_meta(meta_).has_value());
    for (auto& [bytes, covers] : chunks_)
      RC_ASSERT(subject_->load_chunk(bytes, covers).has_value());
    for (auto& x : log_)
      RC_ASSERT(subject_->replay(*x).has_value());
    RC_ASSERT(subject_->finish_recovery().has_value());
    ++epoch_;
    lead();
  }

  std::unique_ptr<shard> subject_ = std::make_unique<shard>(0, 1);
  std::unique_ptr<shard> veteran_ = std::make_unique<shard>(0, 1);
  uint64_t epoch_ = 1;
  time_ms now_ = 100'000;
  std::map<producer_id, uint64_t> positions_;
  std::vector<std::shared_ptr<const log_entry>> on_the_way_;

  std::vector<std::shared_ptr<const log_entry>> log_;
  bool has_meta_ = false;
  shard_meta meta_;
  std::vector<std::pair<std::string, uint64_t>> chunks_;

  bool attempting_ = false;
  bool attempt_is_full_ = false;
  std::vector<std::pair<std::string, uint64_t>> attempt_;

  uint64_t deaths_ = 0;
  uint64_t checkpoints_ = 0;
};

} // namespace

TEST_SUITE("cluster/shard") {
  TEST_CASE("a shard that was checkpointed, killed and recovered at any moment "
            "is the same as one that never was") {
    auto deaths = uint64_t{0};
    auto checkpoints = uint64_t{0};
    CHECK(rc::check([&] {
      auto steps = *any_steps();
      auto both = twins{};
      for (auto& x : steps)
        both.run(x);
      deaths += both.deaths();
      checkpoints += both.checkpoints();
    }));
    // Else the steps have missed their aim.
    CHECK(deaths > 100);
    CHECK(checkpoints > 20);
  }

} // TEST_SUITE
