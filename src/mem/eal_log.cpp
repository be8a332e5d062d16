// rte_openlog_stream wants a FILE: a cookie stream, whose writer runs on whichever thread logs.
#include "eal_log.hpp"

#include <fulmar/base/log.hpp>

#include <rte_log.h>

#include <cstdio>
#include <string_view>

namespace fulmar::mem {

namespace {

log::level level_of_current_line() noexcept {
    const int level = rte_log_cur_msg_loglevel();
    if (level < 0) return log::level::info;
    if (static_cast<unsigned>(level) <= RTE_LOG_ERR) return log::level::error;
    if (static_cast<unsigned>(level) == RTE_LOG_WARNING) return log::level::warn;
    // EAL's notices and informations are details of the machine to us.
    return log::level::debug;
}

ssize_t write_line(void*, const char* text, std::size_t size) noexcept {
    std::string_view rest(text, size);
    while (!rest.empty()) {
        const std::size_t end = rest.find('\n');
        const std::string_view line = rest.substr(0, end);
        if (!line.empty()) log::write(level_of_current_line(), line);
        if (end == std::string_view::npos) break;
        rest.remove_prefix(end + 1);
    }
    return static_cast<ssize_t>(size);
}

}  // namespace

bool forward_eal_log() noexcept {
    cookie_io_functions_t functions{};
    functions.write = &write_line;
    std::FILE* stream = ::fopencookie(nullptr, "w", functions);
    if (stream == nullptr) return false;
    std::setvbuf(stream, nullptr, _IOLBF, 0);
    return rte_openlog_stream(stream) == 0;  // EAL's for the rest of the process
}

}  // namespace fulmar::mem
