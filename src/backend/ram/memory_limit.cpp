#include "memory_limit.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/base/unique_fd.hpp>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string>
#include <utility>

namespace fulmar::backend {

namespace {

/// What a small file says; nothing when there is none.
std::string whole_text(const std::string& path) {
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
    const std::string text = whole_text(path);
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failure == std::errc() ? value : UINT64_MAX;
}

/// Of the process, in the unified hierarchy or in that of the memory controller.
std::string control_group(const std::string& root, bool unified) {
    std::string found;
    each_line(whole_text(root + "/proc/self/cgroup"), [&](const std::string& line) {
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
    each_line(whole_text(root + "/proc/meminfo"), [&](const std::string& line) {
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

namespace {
std::atomic<std::uint64_t> all_promised{0};

std::string beside(std::uint64_t promised) {
    return promised == 0 ? ""
                         : fmt::format(", of which {} MiB are promised already", promised >> 20);
}
}  // namespace

std::uint64_t promised_memory() noexcept { return all_promised.load(std::memory_order_relaxed); }

result<void> check_memory(std::uint64_t bytes, const memory_limit& limit, std::uint64_t promised) {
    const std::uint64_t most = limit.total_bytes == UINT64_MAX
                                   ? UINT64_MAX
                                   : limit.total_bytes - kept_from_ram_devices(limit.total_bytes);
    if (promised > most || bytes > most - promised)
        return fail(errc::no_memory,
                    fmt::format("{} has {} MiB of memory for RAM devices{}, and this one would "
                                "need {} MiB",
                                limit.of, most >> 20, beside(promised), bytes >> 20),
                    "/size",
                    "choose a smaller size, delete another RAM device, or use one of type "
                    "\"file\"");
    if (bytes > limit.available_bytes)
        log::warn(
            "a RAM device of {} MiB is more than the {} MiB that are available now: the "
            "kernel may end the daemon when hosts fill it",
            bytes >> 20, limit.available_bytes >> 20);
    return {};
}

memory_promise::memory_promise(std::uint64_t bytes) noexcept : bytes_(bytes) {
    all_promised.fetch_add(bytes, std::memory_order_relaxed);
}

memory_promise::memory_promise(memory_promise&& other) noexcept
    : bytes_(std::exchange(other.bytes_, 0)) {}

memory_promise::~memory_promise() { all_promised.fetch_sub(bytes_, std::memory_order_relaxed); }

result<memory_promise> memory_promise::make(std::uint64_t bytes, const memory_limit& limit) {
    FULMAR_CHECK(check_memory(bytes, limit, promised_memory()));
    return memory_promise(bytes);
}

result<void> memory_promise::change(std::uint64_t bytes, const memory_limit& limit) {
    if (bytes > bytes_) FULMAR_CHECK(check_memory(bytes, limit, promised_memory() - bytes_));
    all_promised.fetch_add(bytes - bytes_, std::memory_order_relaxed);  // wraps when it shrinks
    bytes_ = bytes;
    return {};
}

}  // namespace fulmar::backend
