#include "actors/ingest_gate.hpp"

namespace weir {

result<session_start> ingest_gate::wait_open(
  std::chrono::milliseconds timeout) {
  auto lock = std::unique_lock{mutex_};
  changed_.wait_for(lock, timeout, [&] {
    return start_ || failure_;
  });
  if (failure_)
    return tl::unexpected(*failure_);
  if (!start_)
    return fail(ec::timeout,
                "the session could not be opened in time"
                  + (progress_.trouble.empty() ? std::string{}
                                               : ": " + progress_.trouble));
  return *start_;
}

result<bool> ingest_gate::wait_room(std::chrono::milliseconds timeout) {
  auto lock = std::unique_lock{mutex_};
  auto room = [&] {
    return failure_ || (in_flight_ < room_ && !node_full_);
  };
  changed_.wait_for(lock, timeout, room);
  if (failure_)
    return tl::unexpected(*failure_);
  return room();
}

void ingest_gate::handed_over(uint64_t bytes) {
  auto lock = std::unique_lock{mutex_};
  in_flight_ += bytes;
}

result<bool> ingest_gate::wait_end(std::chrono::milliseconds timeout) {
  auto lock = std::unique_lock{mutex_};
  changed_.wait_for(lock, timeout, [&] {
    return ended_ || failure_;
  });
  if (failure_)
    return tl::unexpected(*failure_);
  return ended_;
}

session_progress ingest_gate::progress() const {
  auto lock = std::unique_lock{mutex_};
  auto res = progress_;
  res.in_flight = in_flight_;
  return res;
}

std::vector<int64_t> ingest_gate::waits() const {
  auto lock = std::unique_lock{mutex_};
  return waits_;
}

void ingest_gate::opened(session_start x) {
  auto lock = std::unique_lock{mutex_};
  start_ = std::move(x);
  changed_.notify_all();
}

void ingest_gate::acknowledged(uint64_t bytes, const session_progress& x) {
  auto lock = std::unique_lock{mutex_};
  in_flight_ -= bytes;
  progress_ = x;
  changed_.notify_all();
}

void ingest_gate::show(const session_progress& x) {
  auto lock = std::unique_lock{mutex_};
  progress_ = x;
}

void ingest_gate::set_room(uint64_t x) {
  auto lock = std::unique_lock{mutex_};
  room_ = x;
  changed_.notify_all();
}

void ingest_gate::set_node_full(bool x) {
  auto lock = std::unique_lock{mutex_};
  if (node_full_ == x)
    return;
  node_full_ = x;
  changed_.notify_all();
}

void ingest_gate::ended(std::vector<int64_t> waits) {
  auto lock = std::unique_lock{mutex_};
  waits_ = std::move(waits);
  ended_ = true;
  changed_.notify_all();
}

void ingest_gate::failed(failure why) {
  auto lock = std::unique_lock{mutex_};
  if (!failure_)
    failure_ = std::move(why);
  changed_.notify_all();
}

} // namespace weir
