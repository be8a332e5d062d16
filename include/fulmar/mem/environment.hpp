// EAL, brought up once per process on the control thread: hugepages when there are enough, ordinary
// pages when not. Must never: touch the PCI bus (EAL would grab devices) or need privileges. EAL
// leaves an empty folder in its run directory.
#pragma once

#include <fulmar/base/result.hpp>
#include <fulmar/mem/memory_source.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace fulmar::mem {

/// Memory of EAL's heap: hugepages if environment::hugepages(). Sized by
/// environment::options::memory_bytes.
class eal_memory final : public memory_source {
  private:
    std::byte* acquire(std::size_t bytes, std::size_t alignment) noexcept override;
    void release(std::byte* data, std::size_t bytes) noexcept override;
};

/// What EAL is like in this process. There is one, and it stays until the process ends.
class environment {
  public:
    struct options {
        std::size_t memory_bytes = 0;  ///< what will be allocated from it, all pools together
        bool hugepages = true;  ///< false: do not even look (FULMAR_NO_HUGEPAGES=1 says the same)
        std::vector<int>
            control_cpus{};  ///< where the control thread may run; empty: wherever it may now
    };

    /// Called on: control thread, once, before any other thread that matters: the calling thread
    /// becomes EAL's only lcore. Errors: bad_state (a second time); no_memory or internal. After
    /// one, see retry_without_hugepages(). With FULMAR_FAULT_HUGEPAGES=1, for tests alone,
    /// hugepages are found and EAL then fails with them.
    static result<environment*> bring_up(const options& opts);

    /// True when bring_up() failed with hugepages: EAL cannot be tried twice in a process, but the
    /// program may be executed again with FULMAR_NO_HUGEPAGES=1.  Called on: control thread.
    static bool retry_without_hugepages() noexcept;
    /// Does that. Returns only when the kernel refuses.  Called on: control thread, before other
    /// threads exist.
    static void execute_again_without_hugepages(char** argv) noexcept;

    /// First and last act of a thread that uses EAL (reactor_pool's hooks). Without bring_up() they
    /// do nothing and succeed. Called on: that thread.
    static bool register_thread() noexcept;
    static void unregister_thread() noexcept;

    // Called on: any thread, after bring_up().

    [[nodiscard]] bool hugepages() const noexcept { return hugepages_; }
    /// Why hugepages were chosen or not, for the log and the status page: "64 MiB of 2 MiB
    /// hugepages", "no hugepages are free…".
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    [[nodiscard]] memory_source& memory() noexcept { return memory_; }

  private:
    environment() = default;
    bool hugepages_ = false;
    std::string why_;
    eal_memory memory_;
};

}  // namespace fulmar::mem
