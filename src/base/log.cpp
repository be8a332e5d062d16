#include <fulmar/base/log.hpp>

#include <fmt/format.h>
#include <spdlog/async.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iterator>
#include <memory>
#include <string>

namespace fulmar::log {

namespace {

constexpr spdlog::level::level_enum in_spdlog(level of_line) noexcept {
    switch (of_line) {
        case level::trace: return spdlog::level::trace;
        case level::debug: return spdlog::level::debug;
        case level::info: return spdlog::level::info;
        case level::warn: return spdlog::level::warn;
        case level::error: return spdlog::level::err;
        case level::off: break;
    }
    return spdlog::level::off;
}

constexpr int journal_priority_of(spdlog::level::level_enum level) noexcept {
    switch (level) {
        case spdlog::level::trace:
        case spdlog::level::debug: return LOG_DEBUG;
        case spdlog::level::warn: return LOG_WARNING;
        case spdlog::level::err: return LOG_ERR;
        case spdlog::level::critical: return LOG_CRIT;
        default: return LOG_INFO;
    }
}

/// "<N>", which journald takes off the line and keeps as its priority (sd-daemon(3)).
class journal_priority final : public spdlog::custom_flag_formatter {
  public:
    void format(const spdlog::details::log_msg& message, const std::tm&,
                spdlog::memory_buf_t& into) override {
        const char digit = static_cast<char>('0' + journal_priority_of(message.level));
        for (const char c : {'<', digit, '>'}) into.push_back(c);
    }
    [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<journal_priority>();
    }
};

/// systemd says which stream leads to the journal (systemd.exec(5), $JOURNAL_STREAM); a program
/// that was started by a service, with its own stdout, inherits the variable only.
bool stdout_is_the_journal() {
    const char* const told = std::getenv("JOURNAL_STREAM");
    struct stat ours {};
    return told != nullptr && ::fstat(STDOUT_FILENO, &ours) == 0 &&
           fmt::format("{}:{}", ours.st_dev, ours.st_ino) == told;
}

/// Where stdout is the journal each line begins with its priority, so that `journalctl -p warning`
/// finds it, and has no time of its own.
std::unique_ptr<spdlog::formatter> line_format() {
    auto made = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    if (stdout_is_the_journal())  // which has the time already
        made->add_flag<journal_priority>('*').set_pattern("%*%l %v");
    else
        made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v");
    return made;
}

/// Null when nothing of this level is written.
spdlog::logger* logger_of(level of_line) noexcept {
    spdlog::logger* const logger = spdlog::default_logger_raw();
    return logger != nullptr && logger->should_log(in_spdlog(of_line)) ? logger : nullptr;
}

}  // namespace

bool initialise(std::string_view level) {
    const spdlog::level::level_enum parsed = spdlog::level::from_str(std::string(level));
    if (parsed == spdlog::level::off && level != "off") return false;
    constexpr std::size_t queue_lines = 8192;
    spdlog::init_thread_pool(queue_lines, 1);
    auto sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
    auto logger =
        std::make_shared<spdlog::async_logger>("fulmar", std::move(sink), spdlog::thread_pool(),
                                               spdlog::async_overflow_policy::overrun_oldest);
    logger->set_formatter(line_format());
    logger->set_level(parsed);
    logger->flush_on(spdlog::level::warn);
    spdlog::set_default_logger(std::move(logger));
    spdlog::flush_every(std::chrono::seconds(1));
    return true;
}

void shut_down() { spdlog::shutdown(); }

void set_level(level least) noexcept {
    if (spdlog::logger* const logger = spdlog::default_logger_raw(); logger != nullptr)
        logger->set_level(in_spdlog(least));
}

void write(level of_line, fmt::string_view format, fmt::format_args values) noexcept {
    if (logger_of(of_line) == nullptr) return;
    try {
        fmt::memory_buffer line;
        fmt::vformat_to(std::back_inserter(line), format, values);
        write(of_line, std::string_view(line.data(), line.size()));
    } catch (const std::exception&) {
        write(of_line, std::string_view(format.data(), format.size()));
    }
}

void write(level of_line, std::string_view line) noexcept {
    spdlog::logger* const logger = logger_of(of_line);
    if (logger == nullptr) return;
    try {
        logger->log(in_spdlog(of_line), spdlog::string_view_t(line.data(), line.size()));
    } catch (...) {
        // spdlog tells its own errors on stderr; a line that cannot be written ends nobody.
    }
}

bool limiter::allow(instant now) noexcept {
    if (now - window_start_ >= period_) {
        window_start_ = now;
        in_window_ = 0;
    }
    if (in_window_ < burst_) {
        ++in_window_;
        return true;
    }
    ++held_back_;
    return false;
}

}  // namespace fulmar::log
