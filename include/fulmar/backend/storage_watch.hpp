// Looks at storage now and then, on helper threads: is what is served still there, and has what is
// missing come? Storage that hangs keeps the thread that looks at it, and nobody else.
#pragma once

#include <fulmar/base/clock.hpp>
#include <fulmar/base/limits.hpp>
#include <fulmar/engine/helper_job.hpp>
#include <fulmar/engine/member_adapters.hpp>
#include <fulmar/engine/timer_wheel.hpp>

#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <vector>

namespace fulmar::backend {

/// Shared, because a look that hangs outlives who wanted it.
class watched_storage {
  public:
    virtual ~watched_storage() = default;
    /// May block.  Called on: a helper thread, one call at a time.
    virtual void look() noexcept = 0;
    /// After each look() that ended before drop().  Called on: control reactor.
    virtual void looked() noexcept = 0;
};

/// Called on: control reactor, all methods.
class storage_watch {
  public:
    explicit storage_watch(engine::reactor& control,
                           duration period = limits::storage_look) noexcept;
    ~storage_watch();
    storage_watch(const storage_watch&) = delete;
    storage_watch& operator=(const storage_watch&) = delete;

    void add(std::shared_ptr<watched_storage> what);
    /// Nothing of it is told any more.
    void drop(const watched_storage& what) noexcept;

    /// Looks at what has been added at once, with many threads: somebody waits for it.
    void retry_now();

    /// Some storage did not answer in time: for a while the control reactor waits for none, so that
    /// many of them together do not cost it many times limits::storage_patience.
    void note_hang() noexcept;
    [[nodiscard]] bool may_wait() const noexcept;

  private:
    enum class progress : std::uint8_t { idle, waiting, looking, looked };
    struct entry {
        std::shared_ptr<watched_storage> what;
        std::atomic<progress> at{progress::idle};
        bool dropped = false;
    };
    using entry_ptr = std::shared_ptr<entry>;
    /// Its threads take one entry after the other.
    struct round {
        std::vector<entry_ptr> all;
        std::atomic<std::size_t> next{0};
    };
    struct job final : engine::helper_job {
        void work() noexcept override;
        void on_done() noexcept override;
        void on_abandoned() noexcept override;
        storage_watch* owner = nullptr;
        std::shared_ptr<round> of;
    };
    void on_pulse() noexcept;
    void begin_round();
    bool start_job();
    void tell() noexcept;

    engine::reactor& control_;
    duration period_;
    std::vector<entry_ptr> entries_;
    std::shared_ptr<round> round_;
    std::size_t taken_ = 0;  // of the round, at the last pulse
    std::size_t added_ = 0;  // since the round began
    instant impatient_until_{};
    std::list<std::unique_ptr<job>> jobs_;
    engine::member_timer<&storage_watch::on_pulse> pulse_{*this};
};

}  // namespace fulmar::backend
