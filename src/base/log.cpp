#include <fulmar/base/log.hpp>

#include <spdlog/async.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>
#include <string>

namespace fulmar::log {

bool initialise(std::string_view level) {
    const spdlog::level::level_enum parsed = spdlog::level::from_str(std::string(level));
    if (parsed == spdlog::level::off && level != "off") return false;
    constexpr std::size_t queue_lines = 8192;
    spdlog::init_thread_pool(queue_lines, 1);
    auto sink = std::make_shared<spdlog::sinks::stdout_sink_mt>();
    auto logger =
        std::make_shared<spdlog::async_logger>("fulmar", std::move(sink), spdlog::thread_pool(),
                                               spdlog::async_overflow_policy::overrun_oldest);
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
    logger->set_level(parsed);
    logger->flush_on(spdlog::level::warn);
    spdlog::set_default_logger(std::move(logger));
    spdlog::flush_every(std::chrono::seconds(1));
    return true;
}

void shut_down() { spdlog::shutdown(); }

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
