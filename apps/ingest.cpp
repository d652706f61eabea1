#include "actors/ingest_host.hpp"
#include "apps/client.hpp"
#include "apps/commands.hpp"
#include "apps/ingest_session.hpp"
#include "apps/option_flags.hpp"
#include "apps/output.hpp"
#include "apps/progress.hpp"
#include "input/reader.hpp"
#include "windows/time_text.hpp"

#include <CLI/CLI.hpp>
#include <caf/send.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <map>

#include <unistd.h>

namespace weir {

namespace {

using namespace std::chrono_literals;

/// Bad lines that are shown; the others are counted, and go to `--rejects`.
constexpr uint64_t bad_lines_shown = 5;

/// Records between two looks at the clock.
constexpr uint64_t records_per_look = 64;

/// How long one wait lasts before interrupts and the display get their turn.
constexpr auto wait_step = 100ms;

/// How often Ctrl-C was pressed.
std::atomic<int> interrupts = 0;

extern "C" void on_interrupt(int) {
  ++interrupts;
}

struct arguments {
  std::vector<std::string> files;
  std::string format = "auto";
  std::string event_unit;
  std::string sample_unit;
  std::string time_column;
  std::string entity_column;
  std::string value_column;
  std::string rejects;
  std::string producer;
  bool resume = false;
  bool flush = false;
  bool strict = false;
  bool json = false;
  bool quiet = false;
};

/// Where bad lines go.
class reject_log {
public:
  static result<reject_log> open(const std::string& path) {
    auto res = reject_log{};
    if (path.empty())
      return res;
    res.path_ = path;
    res.file_.reset(std::fopen(path.c_str(), "wb"));
    if (!res.file_)
      return fail(ec::io_error, fmt::format("{}: can't be written: {}", path,
                                            std::strerror(errno)));
    return res;
  }

  void add(const bad_record& x) {
    if (file_
        && std::fwrite(x.raw.data(), 1, x.raw.size(), file_.get())
             == x.raw.size())
      std::fputc('\n', file_.get());
    if (++count_ <= bad_lines_shown)
      complain(fmt::format("{}:{}: {}", x.file, x.line, x.reason));
    else if (count_ == bad_lines_shown + 1)
      complain("further bad lines are counted, and not shown");
  }

  /// Fails if not all of them are in the file.
  result<void> close() {
    if (!file_)
      return {};
    auto bad = std::ferror(file_.get()) != 0;
    bad = std::fclose(file_.release()) != 0 || bad;
    if (bad)
      return fail(ec::io_error,
                  fmt::format("{}: not all bad lines could be written", path_));
    return {};
  }

private:
  struct closer {
    void operator()(FILE* x) const {
      std::fclose(x);
    }
  };

  std::string path_;
  std::unique_ptr<FILE, closer> file_;
  uint64_t count_ = 0;
};

result<reader_options> to_reader_options(const arguments& x) {
  auto res = reader_options{};
  static const auto formats
    = std::map<std::string, input_format>{{"auto", input_format::automatic},
                                          {"ndjson", input_format::ndjson},
                                          {"csv", input_format::csv}};
  static const auto units
    = std::map<std::string, time_unit>{{"s", time_unit::s},
                                       {"ms", time_unit::ms},
                                       {"us", time_unit::us},
                                       {"ns", time_unit::ns}};
  res.format = formats.at(x.format);
  if (!x.event_unit.empty())
    res.event_unit = units.at(x.event_unit);
  if (!x.sample_unit.empty())
    res.sample_unit = units.at(x.sample_unit);
  res.time_column = x.time_column;
  res.entity_column = x.entity_column;
  res.value_column = x.value_column;
  // Rejects can be mended and sent again only if they are whole.
  res.bad_bytes_max = res.line_bytes_max;
  return res;
}

/// One run of `weir ingest`.
class ingest_run {
public:
  ingest_run(const arguments& opts, const process_settings& process)
    : opts_(opts), process_(process) {
    // nop
  }

  ~ingest_run() {
    caf::anon_send_exit(actor_, caf::exit_reason::user_shutdown);
  }

  result<exit_code> run();

private:
  result<void> open();
  result<void> read();
  result<bool> have_room();
  result<void> drain();
  void show();
  exit_code summarize();

  bool interrupted() const {
    return interrupts > 0;
  }

  /// Nothing of the input is left to be sent another time.
  bool read_to_the_end() const {
    return !interrupted() && !stopped_at_bad_line_ && files_failed_ == 0;
  }

  const arguments& opts_;
  const process_settings& process_;
  std::unique_ptr<client> client_;
  std::shared_ptr<ingest_gate> gate_ = std::make_shared<ingest_gate>();
  ingest_actor actor_;
  std::unique_ptr<reader> input_;
  std::optional<reject_log> rejects_;
  std::unique_ptr<ingest_session> session_;
  std::unique_ptr<progress_line> display_;
  uint64_t files_failed_ = 0;
  bool stopped_at_bad_line_ = false;
  std::chrono::steady_clock::time_point begun_{};
};

result<void> ingest_run::open() {
  auto options = to_reader_options(opts_);
  if (!options)
    return tl::unexpected(options.error());
  auto rejects = reject_log::open(opts_.rejects);
  if (!rejects)
    return tl::unexpected(rejects.error());
  rejects_ = std::move(*rejects);
  auto files
    = opts_.files.empty() ? std::vector<std::string>{"-"} : opts_.files;
  auto input = reader::open(files, *options);
  if (!input)
    return tl::unexpected(input.error());
  input_ = std::move(*input);
  auto made = client::start(process_);
  if (!made)
    return tl::unexpected(made.error());
  client_ = std::move(*made);
  actor_ = client_->system().spawn(
    ingest_host, ingest_context{process_, client_->dialer(), opts_.producer,
                                opts_.resume, gate_});
  // The dialer's and the coordinator's own time-outs come first, and say more.
  auto start
    = gate_->wait_open(5 * std::chrono::milliseconds{process_.timeout});
  if (!start)
    return tl::unexpected(start.error());
  session_ = std::make_unique<ingest_session>(
    process_, std::move(*start), !opts_.producer.empty(), actor_, gate_);
  display_ = std::make_unique<progress_line>(!opts_.quiet);
  begun_ = std::chrono::steady_clock::now();
  return {};
}

result<bool> ingest_run::have_room() {
  for (;;) {
    auto room = gate_->wait_room(wait_step);
    if (!room || *room || interrupted())
      return room;
    show();
  }
}

result<void> ingest_run::read() {
  auto linger = std::chrono::milliseconds{process_.linger};
  auto unflushed = false;
  for (auto n = uint64_t{1}; !interrupted(); ++n) {
    if (n % records_per_look == 0) {
      session_->flush_some();
      if (auto room = have_room(); !room)
        return tl::unexpected(room.error());
      show();
    }
    auto done = result<void>{};
    switch (input_->next(unflushed ? linger : wait_step)) {
      case step::record:
        done = session_->add(input_->current());
        unflushed = true;
        break;
      case step::bad:
        rejects_->add(input_->bad());
        done = session_->add_bad(input_->bad().raw);
        unflushed = true;
        if (opts_.strict) {
          stopped_at_bad_line_ = true;
          return done;
        }
        break;
      case step::idle:
        session_->flush();
        unflushed = false;
        if (auto room = have_room(); !room)
          return tl::unexpected(room.error());
        show();
        break;
      case step::file_failed:
        complain(input_->error().text);
        ++files_failed_;
        break;
      case step::end:
        return {};
    }
    if (!done)
      return done;
  }
  return {};
}

result<void> ingest_run::drain() {
  for (;;) {
    auto over = gate_->wait_end(wait_step);
    if (!over)
      return tl::unexpected(over.error());
    if (*over)
      return {};
    show();
    if (interrupts > 1)
      return fail(ec::timeout,
                  fmt::format("stopped by hand; up to {} bytes that were sent "
                              "may or may not have arrived",
                              gate_->progress().in_flight));
  }
}

void ingest_run::show() {
  if (!display_->due())
    return;
  auto progress = gate_->progress();
  display_->show(
    {input_->bytes_read(), input_->bytes_total(), session_->received(),
     progress.counts.total(),
     session_->malformed() + progress.counts.future + progress.counts.refused,
     progress.trouble});
}

exit_code ingest_run::summarize() {
  auto seconds
    = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_)
        .count();
  auto progress = gate_->progress();
  auto& counts = progress.counts;
  auto received = session_->received();
  auto malformed = session_->malformed();
  // What the session sent and no shard counted for it was there before, bad
  // lines of an earlier run included.
  auto duplicate = received - malformed - counts.total();
  auto rate = seconds > 0 ? static_cast<double>(received) / seconds : 0;
  if (opts_.json) {
    print_json({{"received", received},
                {"accepted", counts.accepted},
                {"duplicate", duplicate},
                {"late", counts.late},
                {"future", counts.future},
                {"malformed", malformed},
                {"refused", counts.refused},
                {"copies", progress.copies},
                {"waits_ms", gate_->waits()},
                {"seconds", seconds},
                {"readings_per_second", rate}});
  } else {
    print_line(fmt::format("{} readings in {:.2f} s ({}), acknowledged with {} "
                           "{}",
                           received, seconds, human_rate(rate), progress.copies,
                           progress.copies == 1 ? "copy" : "copies"));
    print_line(fmt::format(
      "received {} = accepted {} + duplicate {} + late {} + future {} + "
      "malformed {} + refused {}",
      received, counts.accepted, duplicate, counts.late, counts.future,
      malformed, counts.refused));
  }
  if (stopped_at_bad_line_)
    complain("stopped at the first bad line, as --strict says; everything "
             "before it is acknowledged");
  if (interrupted())
    complain(fmt::format(
      "interrupted after {} records; everything that was "
      "sent is acknowledged{}",
      session_->records(),
      opts_.producer.empty() ? "" : "; --resume goes on from here"));
  if (opts_.flush && !read_to_the_end())
    complain("not flushed, as --flush says, because the input was not read to "
             "its end");
  if (interrupted() || files_failed_ > 0)
    return exit_code::failure;
  return stopped_at_bad_line_ || malformed + counts.future + counts.refused > 0
           ? exit_code::some_rejected
           : exit_code::ok;
}

result<exit_code> ingest_run::run() {
  if (auto done = open(); !done)
    return tl::unexpected(done.error());
  auto outcome = read();
  if (outcome)
    outcome = session_->end(opts_.flush && read_to_the_end());
  if (outcome)
    outcome = drain();
  display_->clear();
  auto written = rejects_->close();
  if (!outcome)
    return tl::unexpected(outcome.error());
  auto code = summarize();
  if (!written)
    return tl::unexpected(written.error());
  return code;
}

runner declare(CLI::App& app) {
  auto opts = std::make_shared<arguments>();
  auto unit = CLI::IsMember({"s", "ms", "us", "ns"});
  app
    .add_option("FILE", opts->files,
                "NDJSON or CSV, plain or gzip; - or nothing: standard input. "
                "Several files are merged by time.")
    ->type_name("");
  app.add_option("--format", opts->format, "What the input is.")
    ->check(CLI::IsMember({"auto", "ndjson", "csv"}))
    ->type_name("auto|ndjson|csv")
    ->capture_default_str();
  app
    .add_option("--time-unit", opts->event_unit,
                "Unit of numeric times of events; ms if not given.")
    ->check(unit)
    ->type_name("s|ms|us|ns");
  app
    .add_option("--sample-time-unit", opts->sample_unit,
                "Unit of numeric times of samples; s if not given.")
    ->check(unit)
    ->type_name("s|ms|us|ns");
  app.add_option("--time", opts->time_column, "CSV column with the time.")
    ->type_name("COLUMN");
  app.add_option("--entity", opts->entity_column, "CSV column with the id.")
    ->type_name("COLUMN");
  app
    .add_option("--value", opts->value_column,
                "CSV column with the value; else every other numeric column "
                "is a metric.")
    ->type_name("COLUMN");
  app
    .add_option("--producer", opts->producer,
                "Name of the sender, under which an interrupted input can be "
                "sent again.")
    ->type_name("NAME")
    ->check([](const std::string& text) {
      // Such as "$NAME" of a script that did not set it.
      return std::string{text.empty() ? "the name is empty" : ""};
    });
  auto resume = app.add_flag(
    "--resume", opts->resume,
    "The input is the one that was interrupted, from its beginning: skip what "
    "is acknowledged.");
  resume->needs("--producer");
  app.add_flag("--flush", opts->flush,
               "Nothing more will come: once the input is read to its end, the "
               "windows that it has reached become final as soon as no other "
               "producer holds them, without waiting for later readings. What "
               "comes for them afterwards is late.");
  app.add_option("--rejects", opts->rejects, "Write bad lines to this file.")
    ->type_name("FILE");
  app.add_flag("--strict", opts->strict, "Stop at the first bad line.");
  app.add_flag("--json", opts->json, "The summary as one JSON object.");
  app.add_flag("--quiet", opts->quiet, "No progress, even on a terminal.");
  auto flags = option_flags{app};
  flags.only({"join", "timeout", "tls-dir", "inflight-bytes-max",
              "frame-bytes-max", "block-readings-max", "block-bytes-max",
              "linger"});
  return [opts, flags]() -> result<exit_code> {
    auto options = flags.resolve();
    if (!options)
      return tl::unexpected(options.error());
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    return ingest_run{*opts, options->values.process}.run();
  };
}

} // namespace

command ingest_command() {
  return {"ingest",
          "Send readings from files or standard input",
          {"weir ingest events.ndjson more.csv.gz",
           "tail -F sensors.ndjson | weir ingest --join 127.0.0.1:7411",
           "weir ingest --producer import-7 --resume big.ndjson.gz",
           "weir ingest --flush last-month.csv.gz",
           "weir ingest --time ts --entity device --value temp data.csv"},
          declare,
          {}};
}

} // namespace weir
