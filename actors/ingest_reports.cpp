#include "actors/ingest_host.hpp"
#include "messages/types.hpp"

#include <algorithm>

// What a session tells the coordinator: how far it has come, and that it lives.

namespace weir {

namespace {

/// How often progress is reported: at most so much is skipped one by one when
/// an input is resumed.
constexpr auto report_every = std::chrono::milliseconds{1'000};

/// A session without progress says that it lives this often, ...
constexpr auto alive_every = std::chrono::milliseconds{2'000};

/// ... but so many times in the time after which it would be taken for lost.
constexpr auto alive_reports = 3;

/// Marks of the input that wait for acknowledgements, at most; beyond it every
/// second one goes.
constexpr size_t marks_max = 1024;

template <class Duration>
time_ms to_ms(Duration x) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(x).count();
}

} // namespace

void ingest_host_state::take_mark(const input_mark& x) {
  // An input that was acknowledged before still has duplicates to report.
  if (x.record >= prefix())
    marks_.push_back(x);
  if (marks_.size() > marks_max)
    for (auto i = size_t{0}; i < marks_.size() - 1; ++i)
      marks_.erase(marks_.begin() + static_cast<ptrdiff_t>(i));
}

void ingest_host_state::pass_marks() {
  auto first = outbox_->first_unacknowledged();
  auto done = std::min(handed_over_, first - 1);
  while (!marks_.empty() && marks_.front().record <= done) {
    passed_ = marks_.front();
    marks_.pop_front();
  }
}

uint64_t ingest_host_state::prefix() const {
  return passed_ ? passed_->record : start_.prefix;
}

void ingest_host_state::note_input() {
  auto last = context_.gate->last_read();
  if (last == seen_)
    return;
  seen_ = last;
  last_input_ = self_->clock().now();
}

/// Waiting for a node is no pause of the input: then something that was read is
/// not acknowledged.
bool ingest_host_state::idle() const {
  return phase_ == phase::streaming && !input_ended_
         && context_.gate->last_read() <= prefix()
         && to_ms(self_->clock().now() - last_input_) >= cluster_.idle_after;
}

/// Before the first block leaves, it must be known whose it is.
bool ingest_host_state::owes_head() const {
  return !head_is_known_ && !marks_.empty();
}

bool ingest_host_state::owes_report() const {
  return owes_head() || (passed_ && passed_->record != told_.prefix)
         || idle() != told_.idle;
}

report_session ingest_host_state::next_report() const {
  auto x = told_;
  x.idle = idle();
  if (owes_head()) {
    // A digest of what is about to be sent.
    x.base = start_.base;
    x.prefix = prefix();
    x.digest = marks_.front().digest;
    x.digest_at = marks_.front().record;
  } else if (passed_) {
    x.base = start_.base;
    x.prefix = passed_->record;
    x.digest = passed_->digest;
    x.digest_at = passed_->record;
  }
  // Else what it knows of the input before stays as it is: somebody may want to
  // resume that, as long as nothing of this one was sent.
  if (passed_) {
    x.malformed = passed_->malformed;
    x.duplicate = passed_->duplicate;
    x.greatest = passed_->greatest;
  }
  return x;
}

void ingest_host_state::report_if_due() {
  auto since = to_ms(self_->clock().now() - last_report_);
  auto alive
    = std::min(alive_every.count(), cluster_.idle_after / alive_reports);
  // What is new in kind is told at once, and again if that failed.
  auto news = idle() != sent_idle_ || (owes_head() && !sent_head_);
  if (news || since >= alive
      || (owes_report() && since >= report_every.count()))
    report();
}

void ingest_host_state::report() {
  if (reporting_ || !coordinator_ || told_.session == 0)
    return;
  tell(next_report());
}

/// @pre `!reporting_`, and `x` is what there is to say now.
void ingest_host_state::tell(const report_session& x) {
  auto head = owes_head() || passed_;
  reporting_ = true;
  last_report_ = self_->clock().now();
  sent_idle_ = x.idle;
  sent_head_ = sent_head_ || head;
  self_
    ->request(coordinator_, std::chrono::milliseconds{context_.process.timeout},
              x)
    .then(
      [this, x, head](const session_reported&) {
        reporting_ = false;
        told_ = x;
        if (x.ended) {
          phase_ = phase::over;
          context_.gate->show(progress());
          return context_.gate->ended(waits());
        }
        if (head && !head_is_known_) {
          head_is_known_ = true;
          pump_later();
        }
        report_if_due();
        finish();
      },
      [this](caf::error& err) {
        reporting_ = false;
        auto why = to_failure(err, "the coordinator");
        if (why.code == ec::stale_session)
          return give_up(std::move(why));
        trouble_ = why.text;
        refresh_is_due_ = true;
      });
}

void ingest_host_state::finish() {
  if (phase_ != phase::streaming || !input_ended_ || !outbox_->empty()
      || reporting_ || !coordinator_)
    return;
  pass_marks();
  auto x = next_report();
  x.ended = true;
  x.flush = flush_;
  tell(x);
}

} // namespace weir
