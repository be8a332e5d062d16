#include "memory_limit.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/base/unique_fd.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <string>

namespace fulmar::backend {

namespace {

/// What a small file says; nothing when there is none.
std::string text_of(const std::string& path) {
    const unique_fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    if (!file) return text;
    std::array<char, 4096> some{};
    for (ssize_t got = 0; (got = ::read(file.get(), some.data(), some.size())) > 0;)
        text.append(some.data(), static_cast<std::size_t>(got));
    return text;
}

/// Calls visit(line) for each.
template <typename Visit>
void each_line(const std::string& text, Visit&& visit) {
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        visit(text.substr(at, end - at));
        at = end + 1;
    }
}

/// The number in the only line of `path`; none for "max" and for no file.
std::uint64_t number_in(const std::string& path) {
    const std::string text = text_of(path);
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc() ? value : UINT64_MAX;
}

/// Of the process, in the unified hierarchy or in that of the memory controller.
std::string control_group(const std::string& root, bool unified) {
    std::string found;
    each_line(text_of(root + "/proc/self/cgroup"), [&](const std::string& line) {
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (!found.empty() || first == std::string::npos || second == std::string::npos) return;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        if (unified ? controllers.empty() : controllers == "memory")
            found = line.substr(second + 1);
    });
    return found == "/" ? std::string() : found;
}

}  // namespace

memory_limit read_memory_limit(const std::string& root) {
    memory_limit out;
    constexpr std::uint64_t kib = 1024;
    each_line(text_of(root + "/proc/meminfo"), [&](const std::string& line) {
        const auto value = [&] {
            return std::strtoull(line.c_str() + line.find(':') + 1, nullptr, 10);
        };
        if (line.starts_with("MemTotal:")) out.total_bytes = value() * kib;
        if (line.starts_with("MemAvailable:")) out.available_bytes = value() * kib;
    });
    const std::string groups = root + "/sys/fs/cgroup";
    const std::uint64_t limit = std::min(
        number_in(groups + control_group(root, true) + "/memory.max"),
        number_in(groups + "/memory" + control_group(root, false) + "/memory.limit_in_bytes"));
    if (limit < out.total_bytes) {
        out.total_bytes = limit;
        out.available_bytes = std::min(out.available_bytes, limit);
        out.of = "this control group";
    }
    return out;
}

result<void> check_memory(std::uint64_t bytes, const memory_limit& limit) {
    if (bytes > limit.total_bytes)
        return fail(errc::no_memory,
                    fmt::format("{} has {} MiB of memory, and the device would need {} MiB",
                                limit.of, limit.total_bytes >> 20, bytes >> 20),
                    "/size", "choose a smaller size, or a device of type \"file\"");
    if (bytes > limit.available_bytes)
        log::warn(
            "a RAM device of {} MiB is more than the {} MiB that are available now: the "
            "kernel may end the daemon when hosts fill it",
            bytes >> 20, limit.available_bytes >> 20);
    return {};
}

}  // namespace fulmar::backend
