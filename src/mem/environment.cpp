#include "eal_log.hpp"
#include "hugepage_probe.hpp"

#include <fulmar/base/log.hpp>
#include <fulmar/base/sanitizer.hpp>
#include <fulmar/mem/environment.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <string_view>

namespace fulmar::mem {

namespace {

constexpr const char* no_hugepages_variable = "FULMAR_NO_HUGEPAGES";
constexpr const char* fault_variable = "FULMAR_FAULT_HUGEPAGES";

constinit std::atomic<bool> eal_is_up{false};
bool tried = false;
bool failed_with_hugepages = false;

bool is_set(const char* variable) noexcept {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0' && std::string_view(value) != "0";
}
bool hugepages_forbidden() noexcept { return is_set(no_hugepages_variable); }

std::vector<int> cpus_of_this_thread() {
    std::vector<int> cpus;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
    if (cpus.empty()) cpus.push_back(0);
    return cpus;
}

// Room for EAL's own small things and the allocator's headers, in whole hugepages.
std::size_t heap_mib(std::size_t wanted) noexcept {
    constexpr std::size_t own_mib = 4;
    return (((wanted + (std::size_t{1} << 20) - 1) >> 20) + own_mib + 1) & ~std::size_t{1};
}

std::vector<std::string> eal_arguments(const environment::options& opts, bool hugepages) {
    const std::vector<int> cpus =
        opts.control_cpus.empty() ? cpus_of_this_thread() : opts.control_cpus;
    std::vector<std::string> out{
        "fulmar",
        // One lcore, on all CPUs of the control thread: "-l 0" would pin it, and every thread that
        // it starts, to CPU 0.
        fmt::format("--lcores=0@({})", fmt::join(cpus, ",")),
        "--no-pci",
        "--iova-mode=va",
        "--no-telemetry",
        "--no-shconf",
        "--log-level=lib.eal:notice",
        "-m",
        fmt::format("{}", heap_mib(opts.memory_bytes)),
        hugepages ? "--in-memory" : "--no-huge",
    };
#if FULMAR_ASAN
    out.emplace_back("--base-virtaddr=0x200000000000");  // EAL's usual place is the sanitizer's
#endif
    return out;
}

result<void> initialise_eal(const environment::options& opts, bool hugepages) {
    if (hugepages && is_set(fault_variable))
        return fail(errc::no_memory,
                    fmt::format("DPDK's memory cannot be set up: {} is set", fault_variable));
    std::vector<std::string> text = eal_arguments(opts, hugepages);
    std::vector<char*> argv;
    for (std::string& argument : text) argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (!forward_eal_log()) log::warn("EAL's log lines go to stderr");
    if (rte_eal_init(static_cast<int>(text.size()), argv.data()) >= 0) return {};
    return fail(errc::no_memory,
                fmt::format("DPDK's memory cannot be set up: {}", rte_strerror(rte_errno)), {},
                hugepages ? "start with FULMAR_NO_HUGEPAGES=1" : "make the buffer pools smaller");
}

}  // namespace

result<environment*> environment::bring_up(const options& opts) {
    static environment only;
    if (tried) return fail(errc::bad_state, "DPDK can be initialised only once in a process");
    tried = true;
    hugepage_answer answer{false,
                           fmt::format("hugepages are switched off ({})", no_hugepages_variable)};
    if (!opts.hugepages)
        answer.why = "hugepages are switched off";
    else if (!hugepages_forbidden())
        answer = is_set(fault_variable) ? hugepage_answer{true, "as a test wishes"}
                                        : probe_hugepages(heap_mib(opts.memory_bytes) << 20);
    if (auto up = initialise_eal(opts, answer.usable); !up) {
        failed_with_hugepages = answer.usable;
        return tl::unexpected(std::move(up).error());
    }
    only.hugepages_ = answer.usable;
    only.why_ = std::move(answer.why);
    eal_is_up.store(true, std::memory_order_release);
    return &only;
}

bool environment::retry_without_hugepages() noexcept { return failed_with_hugepages; }

void environment::execute_again_without_hugepages(char** argv) noexcept {
    if (::setenv(no_hugepages_variable, "1", 1) == 0) ::execv("/proc/self/exe", argv);
}

bool environment::register_thread() noexcept {
    return !eal_is_up.load(std::memory_order_acquire) || rte_thread_register() == 0;
}

void environment::unregister_thread() noexcept {
    if (eal_is_up.load(std::memory_order_acquire)) rte_thread_unregister();
}

std::byte* eal_memory::acquire(std::size_t bytes, std::size_t alignment) noexcept {
    return static_cast<std::byte*>(
        rte_zmalloc_socket("fulmar", bytes, static_cast<unsigned>(alignment), SOCKET_ID_ANY));
}

void eal_memory::release(std::byte* data, std::size_t) noexcept { rte_free(data); }

}  // namespace fulmar::mem
